// "world:anyone:cdrwa,digest:alice:...:r" to a list of rights. As zkCli's AclParser, but what it only complains of
// on the way (and then sends what is left) is an error here: a right that is left out in silence is not what was asked.

import { type Acl, Perms } from '@zebu/client';
import { usage } from './command-error.ts';

const LETTERS: Readonly<Record<string, number>> = {
  c: Perms.CREATE,
  d: Perms.DELETE,
  r: Perms.READ,
  w: Perms.WRITE,
  a: Perms.ADMIN,
};

export function parseAcl(text: string): Acl[] {
  return text.split(',').map((entry) => {
    const first = entry.indexOf(':');
    const last = entry.lastIndexOf(':');
    if (first === last) {
      throw usage(`${entry} does not have the form scheme:id:perm`, 'as in world:anyone:cdrwa');
    }
    const letters = entry.slice(last + 1);
    let perms = 0;
    for (const letter of letters) {
      const bit = LETTERS[letter];
      if (bit === undefined) {
        throw usage(
          `Unknown perm type: ${letter} (in ${entry})`,
          'c create, d delete, r read, w write, a admin',
        );
      }
      perms |= bit;
    }
    return { scheme: entry.slice(0, first), id: entry.slice(first + 1, last), perms };
  });
}
