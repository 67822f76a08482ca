import { commandPreset } from '@zebu/tsup-config';

export default commandPreset();
