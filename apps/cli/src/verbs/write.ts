// Commands that write: create, set, delete, deleteall, setAcl, addauth.

import { readFileSync } from 'node:fs';
import { type Client, type Mode, MultiError, type Op, ZkError } from '@zebu/client';
import { CommandError, usage } from '../command-error.ts';
import { readFailure } from '../file-failure.ts';
import { statLines } from '../format.ts';
import { parseAcl } from '../parse-acl.ts';
import type { Call, Run } from '../verb.ts';
import { statReader, walk } from '../walk.ts';

const DEFAULT_BATCH = 1000;

export const create: Run = async (call) => {
  const { words, out, zk } = call;
  const [path, text, aclWord] = words.operands as [string, string?, string?];
  const mode = modeOf(call);
  const fromFile = dataFromFile(call);
  if (fromFile !== undefined && text !== undefined && aclWord !== undefined) {
    throw usage('Data is given twice: as an operand and by --file');
  }
  const acl = fromFile === undefined ? aclWord : (aclWord ?? text);
  const created = await zk.create(path, fromFile ?? text ?? null, {
    mode,
    sequential: words.has('-s'),
    ...(acl === undefined ? {} : { acl: parseAcl(acl) }),
    ...(words.has('-p') ? { parents: 'persistent' } : {}),
  });
  if (out.isJson) out.value({ path: created.path, sequence: created.sequence, stat: created.stat });
  else out.line(`Created ${out.name(created.path)}`);
  if (mode === 'ephemeral' && !call.isInteractive) {
    call.note('the session ends with this command, and the ephemeral znode with it');
  }
  return undefined;
};

function modeOf({ words }: Call): Mode {
  const ttl = words.value('-t');
  if (words.has('-c') && (words.has('-e') || words.has('-s'))) {
    throw usage(
      '-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.',
    );
  }
  if (ttl === undefined)
    return words.has('-e') ? 'ephemeral' : words.has('-c') ? 'container' : 'persistent';
  if (!/^-?\d+$/.test(ttl)) throw usage('-t argument must be a long value', `it is "${ttl}"`);
  if (words.has('-e')) throw usage('TTLs cannot be used with Ephemeral znodes');
  if (words.has('-c')) throw usage('TTLs cannot be used with Container znodes');
  return { ttlMs: Number(ttl) };
}

export const set: Run = async (call) => {
  const { words, out, zk, isInteractive } = call;
  const [path, text] = words.operands as [string, string?];
  let data = dataFromFile(call);
  if (data !== undefined && text !== undefined) {
    throw usage('Data is given twice: as an operand and by --file');
  }
  if (data === undefined && text === undefined) {
    if (isInteractive || process.stdin.isTTY === true) {
      throw usage(
        `Too few arguments: set ${call.verb.synopsis}`,
        'data is missing: set PATH DATA, or set PATH < FILE',
      );
    }
    data = readAll(0, 'the standard input');
    // A script whose input was closed, or came from a command that failed, would empty the znode.
    if (data.length === 0) {
      throw usage('The standard input is empty', `set ${path} '' empties the znode`);
    }
  }
  if (words.has('-b')) data = fromBase64(data?.toString('latin1') ?? (text as string));
  const stat = await zk.set(path, data ?? (text as string), { version: versionOf(call) });
  if (out.isJson) out.value({ path, stat });
  else if (words.has('-s')) out.lines(statLines(stat));
  return undefined;
};

/** Buffer.from() skips what is no base64: that would set something else than was meant. */
function fromBase64(text: string): Buffer {
  const bare = text.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(bare) || bare.replace(/=+$/, '').length % 4 === 1) {
    throw usage('The data is not base64');
  }
  return Buffer.from(bare, 'base64');
}

function dataFromFile({ words }: Call): Buffer | undefined {
  const file = words.value('--file');
  if (file === undefined) return undefined;
  return file === '-' ? readAll(0, 'the standard input') : readAll(file, file);
}

function readAll(file: string | number, name: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CommandError('usage', `Cannot read ${name}: ${readFailure(name, error)}`, {
      cause: error,
    });
  }
}

function versionOf({ words }: Call): number {
  const written = words.value('-v');
  if (written === undefined) return -1;
  const version = Number(written);
  if (!/^-?\d+$/.test(written) || version < -1 || version > 0x7fffffff) {
    throw usage(`-v is "${written}": a version is a number from 0 up, -1 for any`);
  }
  return version;
}

export const remove: Run = async (call) => {
  const { words, out, zk } = call;
  const [path, oldVersion] = words.operands as [string, string?];
  let version = versionOf(call);
  if (oldVersion !== undefined) {
    call.note(
      "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.",
    );
    version = versionOf({ ...call, words: { ...words, value: () => oldVersion } });
  }
  await zk.delete(path, { version });
  if (out.isJson) out.value({ path, deleted: 1 });
  return undefined;
};

export const deleteall: Run = async (call) => {
  const { words, out, zk, signal } = call;
  const [path] = words.operands as [string];
  const written = words.value('-b');
  const batch = written === undefined ? DEFAULT_BATCH : Number(written);
  if (!Number.isInteger(batch)) throw usage('-b argument must be an int value');
  if (path === '/') throw usage('The root cannot be deleted', 'name its children: ls /');
  const deleted = await deleteTree(zk, path, Math.max(1, batch), signal);
  if (out.isJson) out.value({ path, deleted });
  return undefined;
};

/** Leaves first, in multis of up to `batch` deletes. Returns how many znodes it listed. */
export async function deleteTree(
  zk: Client,
  path: string,
  batch: number,
  signal: AbortSignal,
): Promise<number> {
  const paths: string[] = [];
  for await (const znode of walk(zk, path, { read: statReader(zk), signal }))
    paths.push(znode.path);
  const deletes = function* (): Iterable<Op> {
    // The walk backwards: children before their parents.
    for (let at = paths.length - 1; at >= 0; at--)
      yield { op: 'delete', path: paths[at] as string };
  };
  try {
    for await (const _ of zk.bulk(deletes(), { maxOps: batch, signal }));
  } catch (error) {
    // The tree changed since it was listed: one by one, with another look at what is there.
    if (!(error instanceof MultiError) || !ZkError.is(error.cause, 'NO_NODE', 'NOT_EMPTY'))
      throw error;
    await zk.delete(path, { recursive: true, missingOk: true, signal });
  }
  return paths.length;
}

export const setAcl: Run = async (call) => {
  const { words, out, zk, signal } = call;
  const [path, text] = words.operands as [string, string];
  const acl = parseAcl(text);
  const version = versionOf(call);
  if (!words.has('-R')) {
    const stat = await zk.setAcl(path, acl, { version });
    if (out.isJson) out.value({ path, stat });
    else if (words.has('-s')) out.lines(statLines(stat));
    return undefined;
  }
  let failed: ZkError | undefined;
  let count = 0;
  const refused = (at: string, error: unknown): void => {
    failed ??= error as ZkError;
    call.note(`${at}: its children cannot be listed`);
  };
  for await (const znode of walk(zk, path, { read: statReader(zk), refused, signal })) {
    try {
      await zk.setAcl(znode.path, acl, { version });
      count += 1;
    } catch (error) {
      if (!ZkError.is(error) || ZkError.is(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED'))
        throw error;
      failed ??= error;
      call.note(`${znode.path}: ${error.message}`);
    }
  }
  // zkCli prints what failed and ends with 0.
  if (failed !== undefined) throw failed;
  if (out.isJson) out.value({ path, changed: count });
  return undefined;
};

export const addauth: Run = async ({ words, out, zk }) => {
  const [scheme, auth = ''] = words.operands as [string, string?];
  await zk.addAuth(scheme, auth);
  if (out.isJson) out.value({ scheme, added: true });
  return undefined;
};
