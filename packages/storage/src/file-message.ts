// What an operator reads about a file of a data directory. Recovery takes no other kind of sentence: a message
// that does not say which file it is about does not compile.

declare const ABOUT_A_FILE: unique symbol;

/** A sentence that names a file, or a directory, by its path. Only `aboutFile` makes one. */
export type FileMessage = string & { readonly [ABOUT_A_FILE]: true };

/** The path with what stands before and after it. */
export function aboutFile(before: string, path: string, after: string): FileMessage {
  return `${before}${path}${after}` as FileMessage;
}
