// The password that lets a client re-attach to its session on any server.
//
// Every server recomputes it from the id: 16 bytes of java.util.Random seeded with
// sessionId ^ 0xB3415C00. It guards against mistakes, not against attackers; Apache's clients and
// mixed ensembles depend on these exact bytes. Source: ZooKeeperServer.generatePasswd.

const MULTIPLIER = 0x5deece66dn;
const MASK_48 = (1n << 48n) - 1n;
const SUPER_SECRET = 0xb3415c00n;

export const PASSWORD_BYTES = 16;

/** The 16-byte password of a session id (signed or unsigned 64 bits). */
export function sessionPassword(sessionId: bigint): Buffer {
  let state = (BigInt.asUintN(64, sessionId ^ SUPER_SECRET) ^ MULTIPLIER) & MASK_48;
  const password = Buffer.allocUnsafe(PASSWORD_BYTES);
  for (let at = 0; at < PASSWORD_BYTES; at += 4) {
    state = (state * MULTIPLIER + 0xbn) & MASK_48;
    password.writeUInt32LE(Number((state >> 16n) & 0xffffffffn), at);
  }
  return password;
}
