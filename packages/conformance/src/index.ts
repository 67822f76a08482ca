// The door of @zebu/conformance: what it takes to start servers and to ask them.

export { type ApacheVersion, startApache } from './apache.ts';
export { fourLetterWord, monitor } from './four-letter.ts';
export {
  freePort,
  type ServerOptions,
  type ServerProcess,
  ServerStartError,
} from './server-process.ts';
export { hasTool, type Tool } from './tools.ts';
export { startZebu } from './zebu.ts';
