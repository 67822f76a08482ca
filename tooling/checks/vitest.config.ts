import { project } from '@zebu/vitest-config';

export default project('checks', { testTimeout: 60_000, hookTimeout: 300_000 });
