// Whose a znode is. Servers tell clients of no other kind than ephemeral: of containers and TTL znodes ephemeralOwner is 0
// on the wire (DataNode.copyStat), so for us they are persistent.

import { formatSessionId, type Stat } from '@zebu/client';

/** The session of an ephemeral znode; undefined for all others. */
export function ownerOf({ ephemeralOwner }: Stat): string | undefined {
  return ephemeralOwner === 0n ? undefined : formatSessionId(ephemeralOwner);
}
