// Who takes which item: rendezvous hashing. Everybody computes the same from the list of members alone; when a member
// comes or goes, only the items that it gets, or had, change hands.

/** The members, the one that an item belongs to first. */
export function rank(item: string, members: readonly string[]): string[] {
  return members
    .map((member) => ({ member, weight: hash(`${member}\0${item}`) }))
    .sort((a, b) => b.weight - a.weight || (a.member < b.member ? -1 : 1))
    .map(({ member }) => member);
}

/** FNV-1a over UTF-16, with MurmurHash3's end: the same on every machine, for ever. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
