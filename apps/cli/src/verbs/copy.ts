// cp and mv. mv is one txn, all or nothing: what is too large for one is refused, and cp with deleteall does it in
// steps. Data and ACLs are kept; ephemeral znodes belong to their session and are left out.

import { MultiError, type Op, ZkError } from '@zebu/client';
import { CommandError, usage } from '../command-error.ts';
import { type Contents, contentsReader } from '../contents.ts';
import { isRemote, openLocation } from '../location.ts';
import { ownerOf } from '../owner.ts';
import { Refusals, refusalText } from '../refusals.ts';
import type { Run } from '../verb.ts';
import { isAtOrAbove, walk } from '../walk.ts';

/** What one txn may hold: a server refuses requests beyond its jute.maxbuffer of 1 MB, 1,048,575 bytes. */
const MOVE_BYTES = 900 * 1024;
/** Of an operation beside its path, data and ACL. */
const OPERATION_BYTES = 100;

export const cp: Run = async (call) => {
  const { words, out, signal } = call;
  const [from, to] = words.operands as [string, string];
  await using source = await openLocation(call, from);
  await using target = await openLocation(call, to);
  refuseInside(from, to);
  const counts = { copied: 0, leftOut: 0 };
  const refusals = new Refusals(call.note);
  const isRecursive = words.has('-r');
  const first = await source.zk.exists(source.path);
  if (!isRecursive && first !== undefined && first.numChildren > 0) {
    throw usage(`${from} has ${first.numChildren} children`, 'cp -r copies them too');
  }
  const operations = async function* (): AsyncIterable<Op> {
    const read = contentsReader(source.zk);
    const maxDepth = isRecursive ? undefined : 0;
    const refused = (path: string, error: unknown): void => refusals.add(path, refusalText(error));
    const options = { read, maxDepth, refused, signal };
    for await (const znode of walk(source.zk, source.path, options)) {
      if (ownerOf(znode.stat) !== undefined) {
        counts.leftOut += 1;
        continue;
      }
      counts.copied += 1;
      yield {
        op: 'create',
        path: moved(znode.path, source.path, target.path),
        data: znode.value.data,
        options: { acl: znode.value.acl },
      };
    }
  };
  for await (const _ of target.zk.bulk(operations(), { inFlight: 1 }));
  if (counts.leftOut > 0) call.note(`${counts.leftOut} ephemeral znodes are left out`);
  if (out.isJson) out.value({ from, to, ...counts, unreadable: refusals.count });
  refusals.throwIfAny('could not be read: not copied, nor what is below');
  return undefined;
};

export const mv: Run = async (call) => {
  const { words, out, zk, signal } = call;
  const [from, to] = words.operands as [string, string];
  if (isRemote(from) || isRemote(to)) {
    throw usage('mv is for one cluster', 'cp -r, and then deleteall, copies to another one');
  }
  if (from === '/') throw usage('The root cannot be moved');
  refuseInside(from, to);
  const creates: Op[] = [];
  const deletes: Op[] = [];
  let bytes = 0;
  for await (const znode of walk(zk, from, { read: contentsReader(zk), signal })) {
    const { path, stat, value } = znode;
    const owner = ownerOf(stat);
    if (owner !== undefined) {
      throw new CommandError('refused', `${path} is ephemeral: it belongs to session ${owner}`, {
        path,
      });
    }
    const target = moved(path, from, to);
    bytes += sizeOf(path, target, value);
    if (bytes > MOVE_BYTES) {
      throw new CommandError(
        'refused',
        `${from} is too large to be moved in one txn (${MOVE_BYTES} bytes)`,
        { hint: 'cp -r and deleteall do it in steps, which others see' },
      );
    }
    creates.push({
      op: 'create',
      path: target,
      data: value.data,
      options: { acl: value.acl },
    });
    // By its version: what changed since it was read is not lost.
    deletes.unshift({ op: 'delete', path, version: stat.version });
  }
  try {
    await zk.multi([...creates, ...deletes]);
  } catch (error) {
    if (
      error instanceof MultiError &&
      ZkError.is(error.cause, 'BAD_VERSION', 'NOT_EMPTY') &&
      error.index >= creates.length
    ) {
      throw new CommandError(
        'wrong-version',
        `${from} changed while it was read; nothing was moved`,
        {
          hint: 'try again',
          cause: error,
        },
      );
    }
    throw error;
  }
  if (out.isJson) out.value({ from, to, moved: creates.length });
  return undefined;
};

function refuseInside(from: string, to: string): void {
  if (isAtOrAbove(from, to)) throw usage(`${to} is ${from === to ? 'the same' : `inside ${from}`}`);
}

export function moved(path: string, from: string, to: string): string {
  const below = from === '/' ? path : path.slice(from.length);
  const base = to === '/' ? '' : to;
  return below === '' || below === '/' ? to : base + below;
}

function sizeOf(path: string, target: string, { data, acl }: Contents): number {
  const rights = acl.reduce((sum, { scheme, id }) => sum + scheme.length + id.length + 12, 4);
  return (
    Buffer.byteLength(path) + Buffer.byteLength(target) + data.length + rights + OPERATION_BYTES
  );
}
