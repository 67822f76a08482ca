import { preset } from '@zebu/tsup-config';

export default preset({
  entry: ['src/index.ts', 'src/compliance.ts', 'src/fan-out-thread.ts'],
});
