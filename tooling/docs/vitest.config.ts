import { project } from '@zebu/vitest-config';

export default project('docs');
