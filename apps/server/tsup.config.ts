import { preset } from '@zebu/tsup-config';

export default preset({ entry: ['src/main.ts'] });
