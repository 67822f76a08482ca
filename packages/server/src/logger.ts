/**
 * How the library speaks: four levels, a sentence, and fields to filter by. The library never
 * writes to the terminal itself; the command gives it an adapter, and an embedder gives its own or
 * none. Nothing on the request path calls `debug` without testing `debugEnabled` first.
 */

export interface Logger {
  /** False while `debug` would be thrown away: test it before a message is built. */
  readonly debugEnabled: boolean;
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

/** Says nothing. The default. */
export const silentLogger: Logger = Object.freeze({
  debugEnabled: false,
  debug() {},
  info() {},
  warn() {},
  error() {},
});
