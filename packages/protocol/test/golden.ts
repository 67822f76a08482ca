// The captured bytes of golden/*.json, with bigints and byte arrays revived.

import { readFileSync } from 'node:fs';

interface Exchange {
  name: string;
  op: number;
  request: string;
  requestValue: { header: { xid: number; type: number }; body: Record<string, unknown> };
  reply: string;
  replyValue: {
    header: { xid: number; zxid: number; error: number };
    body: Record<string, unknown>;
  };
}

interface ConnectExchange {
  name: string;
  request: string;
  requestValue: unknown;
  reply: string;
  replyValue: unknown;
}

interface EventFrame {
  name: string;
  frame: string;
  header: unknown;
  event: unknown;
}

interface LogRecord {
  type: number;
  /** Checksum (8 bytes), length (4), entry, end mark (1). */
  record: string;
  value: { header: unknown; body: unknown; digest?: unknown };
}

interface Files {
  connect: { connects: ConnectExchange[] };
  exchanges: { exchanges: Exchange[] };
  events: { events: EventFrame[] };
  'txn-log': { header: string; records: LogRecord[] };
  snapshot: { name: string; file: string };
  'java-utf8': { decode: [string, string][]; encode: [string, string][] };
}

export function golden<K extends keyof Files>(name: K): Files[K] {
  const path = new URL(`golden/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8'), (_, value: unknown) => {
    if (value === null || typeof value !== 'object') return value;
    if ('$bigint' in value) return BigInt(value.$bigint as string);
    if ('$hex' in value) return Buffer.from(value.$hex as string, 'hex');
    return value;
  }) as Files[K];
}

/** The payload of a captured frame. Checks its length prefix. */
export function payloadOf(frame: string): Buffer {
  const bytes = Buffer.from(frame, 'hex');
  if (bytes.readInt32BE(0) !== bytes.length - 4) throw new Error('A frame of another length');
  return bytes.subarray(4);
}

/** Plain data of a decoded value, for toEqual: every byte array a Buffer. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

/** One connection between two members of an Apache ensemble. */
export interface PeerConnection {
  readonly phase: string;
  readonly channel: 'quorum' | 'election';
  readonly from: number;
  readonly to: number;
  readonly initiator: Buffer;
  readonly acceptor: Buffer;
}

export function peersGolden(version: '3.9.5' | '3.8.6'): PeerConnection[] {
  const path = new URL(`golden/peers-${version}.json`, import.meta.url);
  const { connections } = JSON.parse(readFileSync(path, 'utf8'));
  return connections.map((one: { initiator: string; acceptor: string }) => ({
    ...one,
    initiator: Buffer.from(one.initiator, 'hex'),
    acceptor: Buffer.from(one.acceptor, 'hex'),
  }));
}
