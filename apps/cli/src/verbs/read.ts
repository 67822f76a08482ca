// Commands that read: ls, get, stat, getAcl, getEphemerals, getAllChildrenNumber, whoami, config, version, sync.

import { type Stat, ZkError } from '@zebu/client';
import { CommandError } from '../command-error.ts';
import {
  aclLines,
  aclText,
  dataFields,
  hexDump,
  nameList,
  printable,
  statLines,
} from '../format.ts';
import { isRefusal, Refusals, refusalText } from '../refusals.ts';
import type { Call, Run } from '../verb.ts';
import { CLI_VERSION } from '../version.ts';
import { childPath } from '../walk.ts';

const CONFIG_PATH = '/zookeeper/config';

/** zkCli once took `watch` as a last operand; it still does, with a complaint. */
function wantsWatch({ words, verb, note }: Call): boolean {
  if (words.operands.length < 2) return words.has('-w');
  note(
    `'${verb.name} path [watch]' has been deprecated. Please use '${verb.name} ${verb.synopsis}' instead.`,
  );
  return true;
}

export const ls: Run = async (call) => {
  const { words, out, zk, session } = call;
  const [path] = words.operands as [string];
  const watch = wantsWatch(call);
  if (words.has('-R')) return await lsRecursively(call, path, watch);
  const { names, stat } = watch ? await watched(call, path) : await zk.children(path);
  if (out.isJson) {
    const children = [...names].sort();
    out.value({ path, children, ...(words.has('-s') ? { stat } : {}) });
    return;
  }
  out.line(out.name(nameList(names)));
  if (words.has('-s')) out.lines(statLines(stat));
  return;

  async function watched(_: Call, of: string) {
    const answer = await zk.children(of, { watch: true });
    session.hold('children', of, answer.watch);
    return answer;
  }
};

/** In zkCli's order: a znode's children, each on a line, before what is below the first of them. */
async function lsRecursively(call: Call, path: string, watch: boolean): Promise<undefined> {
  const { out, zk, session, signal } = call;
  const refusals = new Refusals(call.note);
  const say = (one: string): void => {
    if (out.isJson) out.value({ path: one });
    else out.line(out.name(one));
  };
  const childrenOf = async (of: string): Promise<string[] | undefined> => {
    try {
      if (!watch) return [...(await zk.children(of)).names].sort();
      const answer = await zk.children(of, { watch: true });
      session.hold('children', of, answer.watch);
      return [...answer.names].sort();
    } catch (error) {
      // It was deleted after it was listed.
      if (of !== path && ZkError.is(error, 'NO_NODE')) return undefined;
      if (of === path || !isRefusal(error)) throw error;
      refusals.add(of, refusalText(error));
      return undefined;
    }
  };
  const descend = async (of: string, names: string[]): Promise<void> => {
    const paths = names.map((name) => childPath(of, name));
    for (const one of paths) say(one);
    await out.flush();
    for (let at = 0; at < paths.length; at += LOOK_AHEAD) {
      // Asked for together: one round trip for many, in place of one for each.
      const some = paths.slice(at, at + LOOK_AHEAD);
      const lists = await Promise.all(some.map(childrenOf));
      for (const [index, one] of some.entries()) {
        signal.throwIfAborted();
        const list = lists[index];
        if (list !== undefined && list.length > 0) await descend(one, list);
      }
    }
  };
  const names = (await childrenOf(path)) ?? [];
  say(path);
  await descend(path, names);
  await out.flush();
  refusals.throwIfAny('could not be listed: what is below is missing here');
  return undefined;
}

const LOOK_AHEAD = 64;

export const get: Run = async (call) => {
  const { words, out, zk, session, isInteractive } = call;
  const [path] = words.operands as [string];
  const watch = wantsWatch(call);
  const answer = await zk.get(path, { watch });
  if (answer.watch !== undefined) session.hold('data', path, answer.watch);
  const { data, stat } = answer;
  if (out.isJson) {
    out.value({ path, ...dataFields(data), ...(words.has('-s') ? { stat } : {}) });
    return;
  }
  if (words.has('-b')) out.line(data.toString('base64'));
  else if (words.has('-x')) out.line(hexDump(data));
  else if (isInteractive || out.isTty) out.line(printable(data.toString('utf8'), true));
  else {
    // A pipe or a file gets the bytes of the znode and nothing else.
    out.bytes(data);
    if (words.has('-s') || watch) out.line('');
  }
  if (words.has('-s')) out.lines(statLines(stat));
  return;
};

export const stat: Run = async (call) => {
  const { words, out, zk, session } = call;
  const [path] = words.operands as [string];
  const watch = wantsWatch(call);
  let found: Stat | undefined;
  if (watch) {
    const answer = await zk.exists(path, { watch: true });
    session.hold('data', path, answer.watch);
    found = answer.stat;
  } else {
    found = await zk.exists(path);
  }
  if (found === undefined) {
    throw new CommandError('no-znode', `Node does not exist: ${path}`, {
      path,
      code: 'NO_NODE',
      hint: watch ? 'the watch is set and fires when it is created' : undefined,
    });
  }
  if (out.isJson) out.value({ path, stat: found });
  else out.lines(statLines(found));
  return;
};

export const getAcl: Run = async ({ words, out, zk }) => {
  const [path] = words.operands as [string];
  const { acl, stat: found } = await zk.getAcl(path);
  if (out.isJson) {
    out.value({
      path,
      acl: aclText(acl),
      entries: acl,
      ...(words.has('-s') ? { stat: found } : {}),
    });
    return;
  }
  out.lines(aclLines(acl));
  if (words.has('-s')) out.lines(statLines(found));
  return;
};

export const getEphemerals: Run = async ({ words, out, zk }) => {
  const [path = '/'] = words.operands;
  const paths = [...(await zk.ephemerals(path))].sort();
  if (out.isJson) out.value({ path, ephemerals: paths });
  else out.line(out.name(nameList(paths)));
  return;
};

export const getAllChildrenNumber: Run = async ({ words, out, zk }) => {
  const [path] = words.operands as [string];
  const count = await zk.descendantsCount(path);
  if (out.isJson) out.value({ path, descendants: count });
  else out.line(String(count));
  return;
};

export const whoami: Run = async ({ out, zk }) => {
  const users = await zk.whoAmI();
  if (out.isJson) {
    out.value({ users });
    return;
  }
  out.line('Auth scheme: User');
  for (const { authScheme, user } of users) out.line(`${authScheme}: ${user}`);
  return;
};

export const config: Run = async ({ words, out, session, whole }) => {
  const answer = await whole.get(CONFIG_PATH, { watch: words.has('-w') });
  if (answer.watch !== undefined) session.hold('data', CONFIG_PATH, answer.watch);
  const text = answer.data.toString('utf8');
  if (out.isJson) {
    const parsed = await whole.config();
    out.value({ ...parsed.toJSON(), ...(words.has('-s') ? { stat: answer.stat } : {}) });
    return;
  }
  out.line(words.has('-c') ? clientConfig(text) : text);
  if (words.has('-s')) out.lines(statLines(answer.stat));
  return;
};

/** "version host:port,host:port", of the client addresses. Source: ConfigUtils.getClientConfigStr. */
function clientConfig(text: string): string {
  let version = '';
  const addresses: string[] = [];
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals < 0) continue;
    const key = line.slice(0, equals).trim();
    const value = line.slice(equals + 1).trim();
    if (key === 'version') version = value;
    if (!key.startsWith('server.')) continue;
    const [peers = '', client = ''] = value.split(';');
    if (client === '') continue;
    const peerHost = peers.slice(0, peers.indexOf(':'));
    addresses.push(client.includes(':') ? client : `${peerHost}:${client}`);
  }
  return `${version} ${addresses.join(',')}`;
}

export const version: Run = async ({ out }) => {
  if (out.isJson) out.value({ version: CLI_VERSION });
  else out.line(`zebu CLI version: ${CLI_VERSION}`);
};

export const sync: Run = async ({ words, out, zk }) => {
  const [path] = words.operands as [string];
  await zk.sync(path);
  if (out.isJson) out.value({ path, synced: true });
  else out.line('Sync is OK');
};
