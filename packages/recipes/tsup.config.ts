import { preset } from '@zebu/tsup-config';

// Every file directly in src/ is an entry point; what they share is below it.
export default preset({ entry: ['src/*.ts'] });
