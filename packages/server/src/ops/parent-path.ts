// Where the parent's path ends within a path of a request.

const SLASH = 0x2f;

/** The offset of the last slash in bytes[start, end); -1 without one, or where the path holds a NUL. */
export function endOfParentPath(bytes: Buffer, start: number, end: number): number {
  let slash = -1;
  for (let at = start; at < end; at++) {
    if (bytes[at] === SLASH) slash = at;
    else if (bytes[at] === 0) return -1;
  }
  return slash;
}
