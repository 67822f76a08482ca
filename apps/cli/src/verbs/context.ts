// Named clusters: add, list, use, remove. The file names the files of keys and credentials; it holds none of them.

import { resolve } from 'node:path';
import { usage } from '../command-error.ts';
import {
  type Context,
  type ContextFile,
  contextFilePath,
  findContext,
  readContexts,
  writeContexts,
} from '../contexts.ts';
import { parseCount } from '../quantities.ts';
import { readServerList } from '../servers.ts';
import { tlsFilesOf } from '../target.ts';
import type { Call, Run } from '../verb.ts';

export const context: Run = async (call) => {
  const [action = 'list', ...operands] = call.words.operands;
  const path = contextFilePath(process.env);
  const file = readContexts(path);
  const expect = (count: number, synopsis: string): void => {
    if (operands.length !== count) throw usage(`context ${action} takes ${synopsis}`);
  };
  switch (action) {
    case 'list':
      expect(0, 'nothing more');
      list(call, file);
      return undefined;
    case 'add':
      expect(2, 'NAME SERVERS');
      add(call, path, file, operands as [string, string]);
      return undefined;
    case 'use': {
      expect(1, 'NAME');
      const { name } = findContext(file, operands[0]) as { name: string };
      writeContexts(path, { ...file, current: name });
      call.note(`context ${name} is in use`);
      return undefined;
    }
    case 'remove': {
      expect(1, 'NAME');
      const { name } = findContext(file, operands[0]) as { name: string };
      const { [name]: _, ...contexts } = file.contexts;
      writeContexts(path, { current: file.current === name ? undefined : file.current, contexts });
      call.note(`context ${name} is removed`);
      return undefined;
    }
    default:
      throw usage(`context ${action} is nothing`, 'there are add, list, use and remove');
  }
};

function list({ out }: Call, { current, contexts }: ContextFile): void {
  for (const [name, one] of Object.entries(contexts)) {
    const isCurrent = name === current;
    if (out.isJson) {
      out.value({ name, current: isCurrent, ...one });
      continue;
    }
    const notes = [
      one.servers,
      one.tls === undefined ? '' : 'tls',
      one.authFile === undefined ? '' : `as ${one.authFile}`,
      one.protected === true ? 'protected' : '',
    ];
    out.line(`${isCurrent ? '*' : ' '} ${name}  ${notes.filter((note) => note !== '').join(', ')}`);
  }
}

function add(
  { words, note }: Call,
  path: string,
  file: ContextFile,
  [name, servers]: [string, string],
): void {
  if (!/^[\w-]+$/.test(name)) {
    throw usage(`"${name}" is no name for a context`, 'letters, digits, _ and -');
  }
  if (Object.hasOwn(file.contexts, name) && !words.has('--replace')) {
    throw usage(`There is a context ${name} already`, '--replace makes another one of it');
  }
  if (readServerList(servers).hosts.length === 0) throw usage(`"${servers}" names no server`);
  const tls = tlsFilesOf(words);
  const absolute = (one: string | undefined): string | undefined => one && resolve(one);
  const timeout = words.value('--timeout');
  const added: Context = {
    servers,
    tls: tls && { ...tls, ca: absolute(tls.ca), cert: absolute(tls.cert), key: absolute(tls.key) },
    authFile: absolute(words.value('--auth-file')),
    sessionTimeoutMs: timeout === undefined ? undefined : parseCount(timeout, '--timeout', 1),
    protected: words.has('--protected') ? true : undefined,
  };
  writeContexts(path, { ...file, contexts: { ...file.contexts, [name]: added } });
  note(`context ${name} is in ${path}`);
}
