import { preset } from '@zebu/tsup-config';

export default preset();
