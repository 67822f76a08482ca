// Session ids: where they start and how they count up.
//
// Top byte: low 8 bits of the server id; then 40 bits of clock; the low 16 bits start at 0, so a
// restarted server begins beyond every id it gave before. Source: SessionTrackerImpl
// .initializeNextSessionId (3.9.5).

/** Marks a container znode's owner (Long.MIN_VALUE); never a session. */
const CONTAINER_MARKER = 0x8000000000000000n;

/** First id a server may give. `nowMs` is wall clock. Unsigned 64 bits. */
export function firstSessionId(serverId: number, nowMs: number): bigint {
  const clock = BigInt.asUintN(64, BigInt(Math.floor(nowMs)) << 24n) >> 8n;
  const id = clock | (BigInt(serverId & 0xff) << 56n);
  return id === CONTAINER_MARKER ? id + 1n : id;
}

/** The id after `id`, skipping the container marker. */
export function nextSessionId(id: bigint): bigint {
  const next = BigInt.asUintN(64, id + 1n);
  return next === CONTAINER_MARKER ? next + 1n : next;
}

/** `0x100012ab34cd0000`, as Apache prints it. */
export function formatSessionId(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`;
}
