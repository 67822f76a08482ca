// Which strings are znode paths. Source: org.apache.zookeeper.common.PathUtils.validatePath.

/** Why a string is not a path, or undefined when it is one. Tested per UTF-16 unit, as Java does. */
export function validatePath(path: string): string | undefined {
  if (path.length === 0) return 'Path length must be > 0';
  if (path.charCodeAt(0) !== SLASH) return 'Path must start with / character';
  if (path.length === 1) return undefined;
  if (path.charCodeAt(path.length - 1) === SLASH) return 'Path must not end with / character';
  let segmentStart = 1;
  for (let i = 1; i <= path.length; i++) {
    const unit = i === path.length ? SLASH : path.charCodeAt(i);
    if (unit === SLASH) {
      const segment = path.slice(segmentStart, i);
      if (segment === '') return `Empty node name specified @${i}`;
      if (segment === '.' || segment === '..') return `Relative paths not allowed @${i}`;
      segmentStart = i + 1;
    } else if (isForbidden(unit)) {
      return `Invalid character @${i}`;
    }
  }
  return undefined;
}

/**
 * The same rule on the UTF-8 bytes of a path, without making a string. Ill-formed UTF-8, overlong
 * forms, encoded surrogates and supplementary characters are all refused: Java decodes each of
 * them to a character that its own rule forbids.
 */
export function isValidPathBytes(bytes: Uint8Array, start: number, end: number): boolean {
  if (end <= start || bytes[start] !== SLASH) return false;
  if (end === start + 1) return true;
  let segmentLength = 0;
  let dots = 0;
  for (let i = start + 1; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte === SLASH) {
      if (segmentLength === 0 || (dots === segmentLength && dots <= 2)) return false;
      segmentLength = 0;
      dots = 0;
    } else if (byte < 0x80) {
      if (byte < 0x20 || byte === 0x7f) return false;
      segmentLength++;
      if (byte === DOT) dots++;
    } else {
      const length = multiByteLength(bytes, i, end);
      if (length === 0) return false;
      segmentLength += length;
      i += length - 1;
    }
  }
  return segmentLength > 0 && !(dots === segmentLength && dots <= 2);
}

/** `/a/b` -> `/a`, `/a` -> `/`; undefined for the root and for text without a slash. */
export function parentPath(path: string): string | undefined {
  const slash = path.lastIndexOf('/');
  if (slash < 0 || path.length === 1) return undefined;
  return slash === 0 ? '/' : path.slice(0, slash);
}

const SLASH = 0x2f;
const DOT = 0x2e;

function isForbidden(unit: number): boolean {
  return (
    unit <= 0x1f ||
    (unit >= 0x7f && unit <= 0x9f) ||
    (unit >= 0xd800 && unit <= 0xf8ff) ||
    unit >= 0xfff0
  );
}

/** 2 or 3 for a well-formed, permitted sequence at `i`; 0 for anything else. */
function multiByteLength(bytes: Uint8Array, i: number, end: number): number {
  const lead = bytes[i] as number;
  if (lead >= 0xc2 && lead <= 0xdf) {
    if (i + 1 >= end) return 0;
    const second = bytes[i + 1] as number;
    if ((second & 0xc0) !== 0x80) return 0;
    return isForbidden(((lead & 0x1f) << 6) | (second & 0x3f)) ? 0 : 2;
  }
  if (lead >= 0xe0 && lead <= 0xef) {
    if (i + 2 >= end) return 0;
    const second = bytes[i + 1] as number;
    const third = bytes[i + 2] as number;
    if ((second & 0xc0) !== 0x80 || (third & 0xc0) !== 0x80) return 0;
    const unit = ((lead & 0x0f) << 12) | ((second & 0x3f) << 6) | (third & 0x3f);
    return unit < 0x800 || isForbidden(unit) ? 0 : 3;
  }
  return 0;
}
