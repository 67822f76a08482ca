// Frames as text, with what must differ between two servers named alike: zxids count from the start of the
// run, session ids become S1, S2 ... in the order they were made, a time becomes `t` once it is the time of
// its zxid's txn. Children and ephemerals are sorted, since their order is nobody's promise.
//
// Lossless apart from that: every other byte of a frame shows, so equal text means equal bytes.

import { ERROR_NAMES, OP, opName, WireReader } from './wire.ts';

/** How one server's zxids, sessions and times are named. */
export class Names {
  /** The zxid that the run started at. */
  base = 0n;
  private readonly extras: bigint[] = [];
  private readonly sessions = new Map<bigint, string>();
  private readonly times = new Map<bigint, bigint>();

  /** Says that this server used one zxid, `zxid`, more than the reference does at this place. */
  addExtraZxid(zxid: bigint): void {
    this.extras.push(zxid);
  }

  relativeZxid(zxid: bigint): number {
    let extra = 0n;
    for (const one of this.extras) if (one <= zxid) extra++;
    return Number(zxid - this.base - extra);
  }

  /** Inverse of `relativeZxid`. */
  absoluteZxid(relative: number): bigint {
    let zxid = this.base + BigInt(relative);
    for (const one of this.extras) if (one <= zxid) zxid++;
    return zxid;
  }

  zxid(zxid: bigint): string {
    if (zxid === 0n || zxid === -1n) return String(zxid);
    return zxid <= this.base ? 'old' : `+${this.relativeZxid(zxid)}`;
  }

  session(id: bigint): string {
    if (id === 0n) return '0';
    return this.sessions.get(id) ?? `unknown session 0x${BigInt.asUintN(64, id).toString(16)}`;
  }

  /** Gives a session that this run made its name. */
  addSession(id: bigint): string {
    const known = this.sessions.get(id);
    if (known !== undefined) return known;
    const name = `S${this.sessions.size + 1}`;
    this.sessions.set(id, name);
    return name;
  }

  /** `t` when `time` is the one that the txn `zxid` had wherever else it was seen, and about now. */
  time(zxid: bigint, time: bigint): string {
    if (time === 0n) return '0';
    if (zxid <= this.base) return 't';
    const known = this.times.get(zxid);
    if (known !== undefined) return known === time ? 't' : `t+${time - known}ms`;
    const offset = Number(time) - Date.now();
    if (Math.abs(offset) > 3_600_000) return `t of ${offset} ms from now`;
    this.times.set(zxid, time);
    return 't';
  }
}

/** A reply, for the comparison and for the generator. */
export interface Reply {
  readonly text: string;
  readonly err: number;
  /** Path that a create answered, when it did. */
  readonly createdPath?: string;
}

export interface WatchEvent {
  readonly text: string;
  readonly zxid: bigint;
}

/** The text of a notification frame. */
export function describeEvent(payload: Buffer, names: Names): WatchEvent {
  const reader = new WireReader(payload);
  reader.int();
  const zxid = reader.long();
  const err = reader.int();
  const type = reader.int();
  const state = reader.int();
  const path = stringText(reader);
  const kind = EVENT_NAMES.get(type) ?? `type ${type}`;
  return {
    zxid,
    text: `event ${kind} ${path} state=${state} zxid=${names.zxid(zxid)} err=${err}${rest(reader)}`,
  };
}

const EVENT_NAMES = new Map([
  [1, 'NodeCreated'],
  [2, 'NodeDeleted'],
  [3, 'NodeDataChanged'],
  [4, 'NodeChildrenChanged'],
]);

/** The text of a reply frame to a request of opcode `op`. */
export function describeReply(op: number, payload: Buffer, names: Names): Reply {
  const reader = new WireReader(payload);
  const xid = reader.int();
  const zxid = reader.long();
  const err = reader.int();
  const errText = ERROR_NAMES.get(err) ?? String(err);
  const head = `${opName(op)} reply xid=${xid} zxid=${names.zxid(zxid)} err=${errText}`;
  const bodyStart = reader.offset;
  const seen: { createdPath?: string } = {};
  let body: string;
  try {
    // Apache puts an empty list after the error of a multiRead of writes: no client looks at it.
    const isBare = reader.remaining === 0 || (op === OP.multiRead && err !== 0);
    body = isBare ? '' : bodyText(op, reader, names, seen) + rest(reader);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    body = ` undecodable body ${payload.subarray(bodyStart).toString('hex')}`;
  }
  return {
    text: head + body,
    err,
    ...(err === 0 && seen.createdPath !== undefined ? { createdPath: seen.createdPath } : {}),
  };
}

function bodyText(
  op: number,
  reader: WireReader,
  names: Names,
  seen: { createdPath?: string },
): string {
  switch (op) {
    case OP.create: {
      const path = stringText(reader, seen);
      return ` path=${path}`;
    }
    case OP.create2:
    case OP.createContainer:
    case OP.createTTL: {
      const path = stringText(reader, seen);
      return ` path=${path} ${statText(reader, names)}`;
    }
    case OP.exists:
    case OP.setData:
    case OP.setACL:
      return ` ${statText(reader, names)}`;
    case OP.getData:
    case OP.reconfig:
      return ` data=${bufferText(reader)} ${statText(reader, names)}`;
    case OP.getACL:
      return ` acl=${aclText(reader)} ${statText(reader, names)}`;
    case OP.getChildren:
      return ` children=${sortedStrings(reader)}`;
    case OP.getChildren2:
      return ` children=${sortedStrings(reader)} ${statText(reader, names)}`;
    case OP.sync:
      return ` path=${stringText(reader)}`;
    case OP.getEphemerals:
      return ` ephemerals=${sortedStrings(reader)}`;
    case OP.getAllChildrenNumber:
      return ` total=${reader.int()}`;
    case OP.addWatch:
      return ` result=${reader.int()}`;
    case OP.whoAmI:
      return ` ids=${vectorText(reader, () => `${stringText(reader)}:${stringText(reader)}`, true)}`;
    case OP.sasl:
      return ` token=${bufferText(reader)}`;
    case OP.multi:
    case OP.multiRead:
      return multiText(reader, names, seen);
    default:
      return '';
  }
}

function multiText(reader: WireReader, names: Names, seen: { createdPath?: string }): string {
  const results: string[] = [];
  for (;;) {
    const type = reader.int();
    const done = reader.byte();
    const err = reader.int();
    if (done !== 0) {
      const end = type === -1 && done === 1 && err === -1 ? '' : ` end(${type},${done},${err})`;
      return ` results=[${results.join('; ')}]${end}`;
    }
    let body: string;
    if (type === -1) body = ` ${ERROR_NAMES.get(reader.int()) ?? 'unknown code'}`;
    else if (type === OP.delete || type === OP.check) body = '';
    else body = bodyText(type, reader, names, seen);
    results.push(`${type === -1 ? 'error' : opName(type)}${err === 0 ? '' : ` err=${err}`}${body}`);
  }
}

/** The answer to a connect request. `names` learns a new session's id. */
export interface ConnectReply {
  readonly text: string;
  readonly sessionId: bigint;
  readonly password: Buffer;
}

export function describeConnectReply(payload: Buffer, names: Names): ConnectReply {
  const reader = new WireReader(payload);
  const protocolVersion = reader.int();
  const timeoutMs = reader.int();
  const sessionId = reader.long();
  const password = Buffer.from(reader.buffer() ?? '');
  const readOnly = reader.remaining > 0 ? String(reader.byte()) : 'missing';
  const session = sessionId === 0n ? '0' : names.addSession(sessionId);
  const isZero = password.every((byte) => byte === 0);
  return {
    sessionId,
    password,
    text:
      `connected version=${protocolVersion} timeout=${timeoutMs} session=${session} ` +
      `password=${password.length} ${isZero ? 'zero ' : ''}bytes readOnly=${readOnly}${rest(reader)}`,
  };
}

/** A stat without what must differ. */
export function statText(reader: WireReader, names: Names): string {
  const czxid = reader.long();
  const mzxid = reader.long();
  const ctime = reader.long();
  const mtime = reader.long();
  const version = reader.int();
  const cversion = reader.int();
  const aversion = reader.int();
  const owner = reader.long();
  const dataLength = reader.int();
  const numChildren = reader.int();
  const pzxid = reader.long();
  return (
    `stat{cz=${names.zxid(czxid)} mz=${names.zxid(mzxid)} pz=${names.zxid(pzxid)} ` +
    `ct=${names.time(czxid, ctime)} mt=${names.time(mzxid, mtime)} v=${version} cv=${cversion} ` +
    `av=${aversion} owner=${names.session(owner)} len=${dataLength} nc=${numChildren}}`
  );
}

function sortedStrings(reader: WireReader): string {
  return vectorText(reader, () => stringText(reader), true);
}

function vectorText(reader: WireReader, item: () => string, sorted = false): string {
  const count = reader.int();
  if (count < 0) return count === -1 ? 'null' : `vector of ${count}`;
  const items: string[] = [];
  for (let i = 0; i < count; i++) items.push(item());
  if (sorted) items.sort();
  return `[${items.join(', ')}]`;
}

/**
 * An ACL vector. Digest entries of equal perms that stand together are sorted: the scheme `auth` becomes
 * one entry per identity in the order of Apache's hash map (ServerCnxn.authInfo), which nobody promises.
 */
export function aclText(reader: WireReader): string {
  const count = reader.int();
  if (count < 0) return count === -1 ? 'null' : `vector of ${count}`;
  const entries: { perms: number; scheme: string; id: string }[] = [];
  for (let i = 0; i < count; i++) {
    entries.push({ perms: reader.int(), scheme: stringText(reader), id: stringText(reader) });
  }
  for (let start = 0; start < entries.length; ) {
    let end = start + 1;
    const first = entries[start] as (typeof entries)[number];
    while (end < entries.length && isPeer(first, entries[end] as (typeof entries)[number])) end++;
    const run = entries.slice(start, end).sort((a, b) => (a.id < b.id ? -1 : 1));
    entries.splice(start, end - start, ...run);
    start = end;
  }
  return `[${entries.map(({ perms, scheme, id }) => `${perms} ${scheme}:${id}`).join(', ')}]`;
}

function isPeer(
  a: { perms: number; scheme: string },
  b: { perms: number; scheme: string },
): boolean {
  return a.scheme === '"digest"' && b.scheme === a.scheme && a.perms === b.perms;
}

/** A string in quotes. */
function stringText(reader: WireReader, seen?: { createdPath?: string }): string {
  const bytes = reader.buffer();
  if (bytes === null) return 'null';
  const text = textOf(bytes);
  if (seen !== undefined) seen.createdPath = text;
  return JSON.stringify(text);
}

/**
 * The text of a string's bytes, the same whether they are as a client sent them or as Java wrote them
 * again: a supplementary character as two encoded surrogates, anything ill-formed as U+FFFD.
 */
export function textOf(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (!text.includes('\ufffd')) return text;
  const paired = bytes
    .toString('hex')
    .replaceAll(/(..)/g, '$1 ')
    .replaceAll(/ed (a.) (..) ed (b.) (..) /g, (_, ...parts: string[]) => {
      const [a, b, c, d] = parts.slice(0, 4).map((part) => Number.parseInt(part, 16)) as number[];
      const high = 0xd000 | (((a as number) & 0x3f) << 6) | ((b as number) & 0x3f);
      const low = 0xd000 | (((c as number) & 0x3f) << 6) | ((d as number) & 0x3f);
      return `${Buffer.from(String.fromCharCode(high, low), 'utf8').toString('hex')} `;
    });
  const repaired = Buffer.from(paired.replaceAll(' ', ''), 'hex').toString('utf8');
  // Java replaces an encoded surrogate by one U+FFFD, others by three.
  return repaired.replaceAll(/\ufffd+/g, '\ufffd');
}

function bufferText(reader: WireReader): string {
  const bytes = reader.buffer();
  if (bytes === null) return 'null';
  const text = bytes.toString('latin1');
  if (/^[ -~]*$/.test(text) && bytes.length < 100) return JSON.stringify(text);
  return bytes.length > 100
    ? `x${bytes.subarray(0, 20).toString('hex')}...${bytes.length} bytes, sum ${checksum(bytes)}`
    : `x${bytes.toString('hex')}`;
}

function checksum(bytes: Buffer): number {
  let sum = 17;
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0;
  return sum >>> 0;
}

function rest(reader: WireReader): string {
  return reader.remaining === 0 ? '' : ` and bytes ${reader.rest().toString('hex')}`;
}
