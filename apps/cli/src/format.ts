// Layouts of answers: zkCli's, which people paste into scripts.

import { type Acl, formatSessionId, Perms, type Stat, type WatchEvent } from '@zebu/client';
import { javaDate } from './java-date.ts';

/** The eleven lines of zkCli's StatPrinter. */
export function statLines(stat: Stat): string[] {
  return [
    `cZxid = 0x${hex(stat.czxid)}`,
    `ctime = ${javaDate(stat.ctime)}`,
    `mZxid = 0x${hex(stat.mzxid)}`,
    `mtime = ${javaDate(stat.mtime)}`,
    `pZxid = 0x${hex(stat.pzxid)}`,
    `cversion = ${stat.cversion}`,
    `dataVersion = ${stat.version}`,
    `aclVersion = ${stat.aversion}`,
    `ephemeralOwner = ${formatSessionId(stat.ephemeralOwner)}`,
    `dataLength = ${stat.dataLength}`,
    `numChildren = ${stat.numChildren}`,
  ];
}

/** `[a, b]`, sorted as Java sorts strings. */
export function nameList(names: readonly string[]): string {
  return `[${[...names].sort().join(', ')}]`;
}

/** Two lines for each entry, `'world,'anyone` and `: cdrwa`. */
export function aclLines(acl: readonly Acl[]): string[] {
  return acl.flatMap(({ scheme, id, perms }) => [`'${scheme},'${id}`, `: ${permsText(perms)}`]);
}

/** In the order of ZKUtil.constructPermString. */
export function permsText(perms: number): string {
  const letters: readonly (readonly [number, string])[] = [
    [Perms.CREATE, 'c'],
    [Perms.DELETE, 'd'],
    [Perms.READ, 'r'],
    [Perms.WRITE, 'w'],
    [Perms.ADMIN, 'a'],
  ];
  return letters.map(([bit, letter]) => ((perms & bit) === 0 ? '' : letter)).join('');
}

/** As it is written on a command line: `world:anyone:cdrwa,auth::r`. */
export function aclText(acl: readonly Acl[]): string {
  return acl.map(({ scheme, id, perms }) => `${scheme}:${id}:${permsText(perms)}`).join(',');
}

const EVENT_TYPES = {
  created: 'NodeCreated',
  deleted: 'NodeDeleted',
  changed: 'NodeDataChanged',
  children: 'NodeChildrenChanged',
} as const;

/** WatchedEvent.toString(). A server that does not tell the zxid (3.8) has -1 there. */
export function eventLine({ type, path, zxid }: WatchEvent): string {
  return `WatchedEvent state:SyncConnected type:${EVENT_TYPES[type]} path:${path} zxid: ${zxid ?? -1}`;
}

/** Netty's ByteBufUtil.prettyHexDump, which `get -x` prints. */
export function hexDump(data: Buffer): string {
  if (data.length === 0) return '';
  const rule = `+${'-'.repeat(8)}+${'-'.repeat(49)}+${'-'.repeat(16)}+`;
  const rows: string[] = [];
  for (let at = 0; at < data.length; at += 16) {
    const row = data.subarray(at, at + 16);
    const bytes = [...row].map((byte) => ` ${byte.toString(16).padStart(2, '0')}`).join('');
    const text = [...row].map((byte) =>
      byte <= 0x1f || byte >= 0x7f ? '.' : String.fromCharCode(byte),
    );
    rows.push(
      `|${at.toString(16).padStart(8, '0')}|${bytes.padEnd(48)} |${text.join('').padEnd(16)}|`,
    );
  }
  const head = `${' '.repeat(9)}+${'-'.repeat(49)}+`;
  const columns = [...'0123456789abcdef'].map((digit) => `  ${digit}`).join('');
  return [head, `${' '.repeat(9)}|${columns} |`, rule, ...rows, rule].join('\n');
}

/** Data in JSON: text where the bytes are UTF-8, base64 where they are not. */
export function dataFields(data: Buffer): { data: string } | { dataBase64: string } {
  const text = data.toString('utf8');
  return Buffer.from(text, 'utf8').equals(data)
    ? { data: text }
    : { dataBase64: data.toString('base64') };
}

/**
 * Text of unknown origin for a terminal: control characters, which could move the cursor or worse, are written as
 * `\x1b`. Line ends and tabs stay where `keepsLines` says so.
 */
export function printable(text: string, keepsLines = false): string {
  let safe = '';
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0);
    const isLine = keepsLines && (character === '\n' || character === '\t');
    safe += isControl && !isLine ? `\\x${code.toString(16).padStart(2, '0')}` : character;
  }
  return safe;
}

function hex(number: number): string {
  return number < 0 ? BigInt.asUintN(64, BigInt(number)).toString(16) : number.toString(16);
}
