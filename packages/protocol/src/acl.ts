// Access control lists: who may do what to one znode.

import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';

/** Permission bits. */
export const Perms = { READ: 1, WRITE: 2, CREATE: 4, DELETE: 8, ADMIN: 16, ALL: 31 } as const;

/** ACL: int perms, Id { ustring scheme, ustring id }. */
export interface Acl {
  readonly perms: number;
  readonly scheme: string;
  readonly id: string;
}

/** world:anyone:cdrwa, the list that most znodes have. */
export const OPEN_ACL_UNSAFE: readonly Acl[] = [
  { perms: Perms.ALL, scheme: 'world', id: 'anyone' },
];

export function readAclVector(reader: ByteReader): Acl[] | null {
  const count = reader.vectorLength();
  if (count < 0) return null;
  const acls: Acl[] = [];
  for (let i = 0; i < count; i++) {
    acls.push({
      perms: reader.int32(),
      scheme: reader.string() ?? '',
      id: reader.string() ?? '',
    });
  }
  return acls;
}

export function writeAclVector(writer: ByteWriter, acls: readonly Acl[] | null): void {
  if (acls === null) {
    writer.int32(-1);
    return;
  }
  writer.int32(acls.length);
  for (const acl of acls) {
    writer.int32(acl.perms);
    writer.string(acl.scheme);
    writer.string(acl.id);
  }
}
