// Creates: of one znode, with an id by which it is found again, with its parents.

import type { Client, CreateOptions } from './client.ts';
import { ZkError } from './errors.ts';
import { type Created, createdFrom, createKind, type Data, writeCreate } from './multi.ts';
import { ancestorsOf, badPath, pathProblem } from './paths.ts';
import { createProtected, protectedPath, protectionId } from './protected-create.ts';
import { Stat } from './stat.ts';
import type { ViewRequests } from './view-requests.ts';

/** How often a create with parents starts over because a container vanished meanwhile. */
const PARENT_ATTEMPTS = 5;

interface View {
  readonly requests: ViewRequests;
  readonly client: Client;
}

export function createZnode(
  view: View,
  path: string,
  data: Data | undefined,
  options: CreateOptions | undefined,
): Promise<Created> {
  return options?.parents === undefined || options.parents === false
    ? createOne(view, path, data, options)
    : createWithParents(view, path, data, options, options.parents);
}

async function createOne(
  { requests, client }: View,
  path: string,
  data: Data | undefined,
  options: CreateOptions | undefined,
): Promise<Created> {
  if (options?.protected !== true)
    return await createOnce({ requests, client }, path, data, options);
  const problem = pathProblem(path, options.sequential === true);
  if (problem !== undefined) throw badPath('create', path, problem);
  const { signal, timeoutMs, retry } = options;
  const reading = { signal, timeoutMs, retry };
  const { environment } = requests.loop;
  return await createProtected(
    {
      create: (full) => createOnce({ requests, client }, full, data, options),
      children: async (parent) =>
        (await client.children(parent, { ...reading, consistency: 'synced' })).names,
      exists: (full) => client.exists(full, reading),
      session: () => client.session,
    },
    protectedPath(
      path,
      protectionId(() => environment.random()),
    ),
    options.mode === 'ephemeral',
  );
}

function createOnce(
  { requests, client }: View,
  path: string,
  data: Data | undefined,
  options: CreateOptions | undefined,
): Promise<Created> {
  let type: number;
  try {
    type = createKind(options).type;
  } catch (error) {
    return Promise.reject(badPath('create', path, (error as Error).message));
  }
  return requests.write(
    type,
    'create',
    path,
    options,
    (reader) =>
      createdFrom(path, requests.viewPath(reader.string() ?? ''), new Stat(reader), client.session),
    (writer, full) => writeCreate(writer, full, data, options),
    {
      isSequential: options?.sequential === true,
      isSessionBound: options?.mode === 'ephemeral',
    },
  );
}

async function createWithParents(
  view: View,
  path: string,
  data: Data | undefined,
  options: CreateOptions,
  mode: 'persistent' | 'container',
): Promise<Created> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await createOne(view, path, data, options);
    } catch (error) {
      if (!ZkError.is(error, 'NO_NODE') || attempt === PARENT_ATTEMPTS) throw error;
    }
    const { acl, signal, timeoutMs } = options;
    const parentOptions = { mode, acl, signal, timeoutMs };
    // From the root down, all at once: they are carried out in this order.
    const creating = ancestorsOf(path).map((ancestor) =>
      createOne(view, ancestor, undefined, parentOptions).then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
    for (const error of await Promise.all(creating)) {
      if (error !== undefined && !ZkError.is(error, 'NODE_EXISTS', 'NO_NODE')) throw error;
    }
  }
}
