// Where a subtree is: `/path` of the command's own cluster, `@prod:/path` of a context, `@zk1:2181,zk2:2181:/path` of
// other servers.

import type { Client } from '@zebu/client';
import { openClient } from './cli-session.ts';
import { usage } from './command-error.ts';
import { contextFilePath, findContext, readContexts } from './contexts.ts';
import type { ParsedWords } from './parse-words.ts';
import { stoppable } from './stoppable.ts';
import { chooseTarget } from './target.ts';
import type { Call } from './verb.ts';

export interface Location extends AsyncDisposable {
  readonly zk: Client;
  readonly path: string;
}

export function isRemote(text: string): boolean {
  return text.startsWith('@');
}

/** Throws a CommandError, or what connect() does. */
export async function openLocation(call: Call, text: string): Promise<Location> {
  if (!isRemote(text)) {
    return { zk: call.zk, path: text, [Symbol.asyncDispose]: async () => {} };
  }
  const [, where = '', path] = /^@(.+?):(\/.*)$/.exec(text) ?? [];
  if (path === undefined) {
    throw usage(`${text} names no place`, 'write @CONTEXT:/path, or @HOST:PORT:/path');
  }
  const option = /[:.,[]/.test(where) ? '--server' : '--context';
  const words: ParsedWords = {
    has: () => false,
    value: (name) => (name === option ? where : undefined),
    values: () => [],
    operands: [],
    afterDashes: undefined,
  };
  const { env } = process;
  const target = chooseTarget(words, env, (name) =>
    findContext(readContexts(contextFilePath(env)), name),
  );
  const root = await openClient(target, call.signal);
  const { chroot } = target.list;
  return {
    zk: stoppable(chroot === '' ? root : root.chroot(chroot), call.signal),
    path,
    [Symbol.asyncDispose]: () => root.close({ timeoutMs: 2000 }),
  };
}
