// A data directory whose znodes have counters just below their limits, which no client can reach by requests.
// Apache and zebu both load it, and must behave alike at the limits.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adler32 } from './adler32.ts';
import type { ZnodeState } from './tree-walk.ts';
import { treeDigest } from './tree-walk.ts';
import { WireWriter } from './wire.ts';

const MAX = 0x7fffffff;
const MIN = -0x80000000;
const CONTAINER_OWNER = -0x8000000000000000n;
const TTL_OWNER = -0x100000000000000n;
const EPOCH = 0x100000000n;
const SNAPSHOT_ZXID = EPOCH + 0x10n;
const TIME = 1_700_000_000_000n;

/** The znodes of such a directory, parents before children; the usual ones of an empty server included. */
export const EDGE_ZNODES: ReadonlyMap<string, ZnodeState> = new Map([
  ['/', znode({ czxid: 0n, mzxid: 0n, ctime: 0n, mtime: 0n, cversion: 5 })],
  ['/zookeeper', znode({ czxid: 0n, mzxid: 0n, pzxid: 0n, ctime: 0n, mtime: 0n })],
  ['/zookeeper/quota', znode({ czxid: 0n, mzxid: 0n, pzxid: 0n, ctime: 0n, mtime: 0n })],
  [
    '/zookeeper/config',
    znode({ czxid: 0n, mzxid: 0n, pzxid: 0n, ctime: 0n, mtime: 0n, aversion: -1 }),
  ],
  [
    '/a',
    znode({ version: MAX - 1, cversion: MAX - 3, aversion: MAX - 1, data: Buffer.from('edge') }),
  ],
  ['/a/b', znode({ version: -2, cversion: -3, aversion: -2 })],
  ['/b', znode({ version: MIN, cversion: MIN, aversion: MIN, data: null })],
  ['/c', znode({ owner: CONTAINER_OWNER, cversion: MAX })],
  ['/d', znode({ owner: TTL_OWNER | 0xffffffffffn, version: -1, aversion: -1 })],
]);

/** Writes `<dataDir>/version-2/snapshot.100000010` (spec/disk.md section 5.1). */
export function writeEdgeData(dataDir: string): void {
  const writer = new WireWriter();
  const seal = () => {
    const sum = adler32(writer.done());
    writer.long(BigInt(sum)).string('/');
  };
  writer.int(0x5a4b534e).int(2).long(-1n);
  writer.int(0);
  // /zookeeper/config may be read by all and written by nobody.
  writer.int(1).long(1n).int(1).int(1).string('world').string('anyone');
  for (const [path, state] of EDGE_ZNODES) {
    writer.string(path === '/' ? '' : path).buffer(state.data);
    writer.long(path === '/zookeeper/config' ? 1n : -1n);
    writer.long(state.czxid).long(state.mzxid).long(state.ctime).long(state.mtime);
    writer.int(state.version).int(state.cversion).int(state.aversion);
    writer.long(state.owner).long(state.pzxid);
  }
  writer.string('/');
  seal();
  writer.long(SNAPSHOT_ZXID).int(2).long(treeDigest(EDGE_ZNODES));
  seal();
  writer.long(SNAPSHOT_ZXID);
  seal();
  const folder = join(dataDir, 'version-2');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `snapshot.${SNAPSHOT_ZXID.toString(16)}`), writer.done());
}

function znode(state: Partial<ZnodeState>): ZnodeState {
  return {
    data: Buffer.alloc(0),
    czxid: EPOCH + 1n,
    mzxid: EPOCH + 2n,
    pzxid: EPOCH + 3n,
    ctime: TIME,
    mtime: TIME + 5n,
    version: 0,
    cversion: 0,
    aversion: 0,
    owner: 0n,
    ...state,
  };
}
