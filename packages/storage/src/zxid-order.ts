// Which zxid may come after which in a history.

import type { Zxid } from '@zebu/protocol';

/** True when a record with zxid `next` may directly follow one with zxid `previous`. */
export function follows(next: Zxid, previous: Zxid): boolean {
  if (next === previous + 1) return true;
  const epoch = Math.floor(next / 2 ** 32);
  return epoch > Math.floor(previous / 2 ** 32) && next === epoch * 2 ** 32 + 1;
}
