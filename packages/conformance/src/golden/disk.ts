// What Apache's server left on its disk: txn log records with their values, and a whole snapshot.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WireReader } from '../differential/wire.ts';
import { acls, hex, strings, type Value } from './values.ts';

/** Header and records of all logs. A record is checksum, length, entry and end mark. */
export function txnLogs(dataDir: string): Value {
  const folder = join(dataDir, 'version-2');
  const records: Value[] = [];
  let header = '';
  for (const name of readdirSync(folder)
    .filter((one) => one.startsWith('log.'))
    .sort()) {
    const bytes = readFileSync(join(folder, name));
    header = bytes.toString('hex', 0, 16);
    for (let at = 16; at + 12 < bytes.length; ) {
      const length = bytes.readInt32BE(at + 8);
      if (length <= 0) break;
      const end = at + 12 + length + 1;
      const entry = bytes.subarray(at + 12, end - 1);
      records.push({
        type: entry.readInt32BE(28),
        record: bytes.toString('hex', at, end),
        value: txnValue(entry),
      });
      at = end;
    }
  }
  return { header, records };
}

function txnValue(entry: Buffer): Value {
  const reader = new WireReader(entry);
  const header = {
    clientId: reader.long(),
    cxid: reader.int(),
    zxid: Number(reader.long()),
    time: Number(reader.long()),
    type: reader.int(),
  };
  const body = txnBody(header.type, reader);
  const digest =
    reader.remaining >= 12 ? { digest: { version: reader.int(), treeDigest: reader.long() } } : {};
  return { header, body, ...digest };
}

function txnBody(type: number, reader: WireReader): Value {
  switch (type) {
    case 1:
    case 15:
      return {
        type,
        ...createdZnode(reader),
        ephemeral: reader.byte() !== 0,
        parentCVersion: reader.int(),
      };
    case 19:
      return { type, ...createdZnode(reader), parentCVersion: reader.int() };
    case 21:
      return {
        type,
        ...createdZnode(reader),
        parentCVersion: reader.int(),
        ttlMs: Number(reader.long()),
      };
    case 2:
    case 20:
      return { type, path: reader.string() };
    case 5:
    case 16:
      return { type, path: reader.string(), data: hex(reader.buffer()), version: reader.int() };
    case 7:
      return { type, path: reader.string(), acl: acls(reader), version: reader.int() };
    case 13:
      return { type, path: reader.string(), version: reader.int() };
    case 14: {
      const txns: Value[] = [];
      for (let count = reader.int(); count > 0; count--) {
        const subtype = reader.int();
        txns.push(txnBody(subtype, new WireReader(reader.buffer() ?? Buffer.alloc(0))));
      }
      return { type, txns };
    }
    case -10:
      return { type, timeoutMs: reader.int() };
    case -11:
      return { type, paths: strings(reader) };
    default:
      return { type, error: reader.int() };
  }
}

/** What the txns of all kinds of create begin with. */
function createdZnode(reader: WireReader) {
  return { path: reader.string(), data: hex(reader.buffer()), acl: acls(reader) };
}

/** The newest snapshot, whole. */
export function snapshot(dataDir: string): Value {
  const folder = join(dataDir, 'version-2');
  const names = readdirSync(folder).filter((name) => name.startsWith('snapshot.'));
  const name =
    names
      .sort((a, b) => Number.parseInt(a.slice(9), 16) - Number.parseInt(b.slice(9), 16))
      .at(-1) ?? '';
  return { name, file: readFileSync(join(folder, name)).toString('hex') };
}
