// Apache's txn log files, read with the codec of this folder: what either server has written is compared
// entry by entry.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aclText, type Names, textOf } from './normalise.ts';
import { opName, WireReader } from './wire.ts';

export const TXN = {
  closeSession: -11,
  createSession: -10,
  error: -1,
  create: 1,
  delete: 2,
  setData: 5,
  setACL: 7,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  createContainer: 19,
  deleteContainer: 20,
  createTTL: 21,
} as const;

/** One entry of a log. */
export class LogEntry {
  readonly session: bigint;
  readonly cxid: number;
  readonly zxid: bigint;
  readonly time: bigint;
  readonly type: number;
  readonly body: Buffer;
  /** The tree's digest after it, where the entry has one. */
  readonly digest: bigint | undefined;
  private readonly digestVersion: number | undefined;

  constructor(bytes: Buffer) {
    const reader = new WireReader(bytes);
    this.session = reader.long();
    this.cxid = reader.int();
    this.zxid = reader.long();
    this.time = reader.long();
    this.type = reader.int();
    const rest = reader.rest();
    // An error txn has no digest; any other is followed by an int version and a long.
    const hasDigest = this.type !== TXN.error && rest.length >= 12;
    this.body = hasDigest ? rest.subarray(0, rest.length - 12) : rest;
    this.digestVersion = hasDigest ? rest.readInt32BE(rest.length - 12) : undefined;
    this.digest = hasDigest ? rest.readBigUInt64BE(rest.length - 8) : undefined;
  }

  /** The entry without what must differ between two servers. */
  describe(names: Names): string {
    const session = this.zxid <= names.base ? 'old' : names.session(this.session);
    const head = `zxid=${names.zxid(this.zxid)} session=${session} cxid=${this.cxid}`;
    // Apache's error txns may stand under a zxid that has a time already, and may have a digest or not.
    if (this.type === TXN.error) return `${head} error ${this.body.readInt32BE(0)}`;
    const digest = this.digestVersion === undefined ? 'no digest' : `digest v${this.digestVersion}`;
    return `${head} time=${names.time(this.zxid, this.time)} ${describeTxn(this.type, this.body)} ${digest}`;
  }
}

/** All entries of a data directory's logs, in order. Reads also while the server runs. */
export function readTxnLogs(dataDir: string): LogEntry[] {
  const folder = join(dataDir, 'version-2');
  const files = readdirSync(folder)
    .filter((name) => /^log\.[0-9a-f]+$/.test(name))
    .sort((a, b) => Number.parseInt(a.slice(4), 16) - Number.parseInt(b.slice(4), 16));
  return files.flatMap((name) => readTxnLog(readFileSync(join(folder, name))));
}

function readTxnLog(bytes: Buffer): LogEntry[] {
  const entries: LogEntry[] = [];
  const reader = new WireReader(bytes, 16);
  while (reader.remaining >= 12) {
    reader.long();
    const entry = reader.buffer();
    if (entry === null || entry.length === 0 || reader.remaining === 0) break;
    if (reader.byte() !== 0x42) break;
    entries.push(new LogEntry(entry));
  }
  return entries;
}

function describeTxn(type: number, body: Buffer): string {
  const name = type === TXN.error ? 'error' : opName(type);
  const reader = new WireReader(body);
  try {
    const text = txnBodyText(type, reader);
    const rest = reader.remaining === 0 ? '' : ` and bytes ${reader.rest().toString('hex')}`;
    return `${name} ${text}${rest}`;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `${name} undecodable ${body.toString('hex')}`;
  }
}

function txnBodyText(type: number, reader: WireReader): string {
  const path = () => JSON.stringify(textOf(reader.buffer() ?? Buffer.from('null')));
  const data = () => reader.buffer()?.toString('hex') ?? 'null';
  switch (type) {
    case TXN.closeSession: {
      const paths: string[] = [];
      for (let count = reader.int(); count > 0; count--) paths.push(path());
      return `[${paths.sort().join(', ')}]`;
    }
    case TXN.createSession:
    case TXN.error:
      return String(reader.int());
    case TXN.create:
    case TXN.create2:
      return `${path()} ${data()} ${aclText(reader)} ephemeral=${reader.byte()} parentCversion=${reader.int()}`;
    case TXN.createContainer:
      return `${path()} ${data()} ${aclText(reader)} parentCversion=${reader.int()}`;
    case TXN.createTTL:
      return `${path()} ${data()} ${aclText(reader)} parentCversion=${reader.int()} ttl=${reader.long()}`;
    case TXN.delete:
    case TXN.deleteContainer:
      return path();
    case TXN.setData:
    case TXN.reconfig:
      return `${path()} ${data()} version=${reader.int()}`;
    case TXN.setACL:
      return `${path()} ${aclText(reader)} version=${reader.int()}`;
    case TXN.check:
      return `${path()} version=${reader.int()}`;
    case TXN.multi: {
      const txns: string[] = [];
      for (let count = reader.int(); count > 0; count--) {
        const subtype = reader.int();
        txns.push(describeTxn(subtype, reader.buffer() ?? Buffer.alloc(0)));
      }
      return `[${txns.join('; ')}]`;
    }
    default:
      return '';
  }
}
