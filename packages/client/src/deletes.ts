// Deletes: of one znode, and of all below it.

import { OpCode, writePathVersionRequest } from '@zebu/protocol';
import { readChildren } from './answers.ts';
import type { DeleteOptions } from './client.ts';
import { ZkError } from './errors.ts';
import type { ViewRequests } from './view-requests.ts';

/** Children of one parent that a recursive delete works on at a time. */
const DELETES_IN_FLIGHT = 256;

export async function deleteZnode(
  requests: ViewRequests,
  path: string,
  options: DeleteOptions | undefined,
): Promise<void> {
  const version = options?.version ?? -1;
  try {
    await requests.write(
      OpCode.delete,
      'delete',
      path,
      options,
      () => undefined,
      (writer, full) => writePathVersionRequest(writer, { path: full, version }),
    );
  } catch (error) {
    if (options?.missingOk !== true || !ZkError.is(error, 'NO_NODE')) throw error;
  }
}

export async function deleteTree(
  requests: ViewRequests,
  path: string,
  options: DeleteOptions,
): Promise<void> {
  const { version: _, ...below } = options;
  const { signal, timeoutMs, retry } = options;
  for (;;) {
    let names: readonly string[];
    try {
      ({ names } = await requests.read(
        OpCode.getChildren2,
        'children',
        path,
        { signal, timeoutMs, retry },
        'child',
        readChildren,
      ));
    } catch (error) {
      if (options.missingOk === true && ZkError.is(error, 'NO_NODE')) return;
      throw error;
    }
    const prefix = path === '/' ? '/' : `${path}/`;
    for (let i = 0; i < names.length; i += DELETES_IN_FLIGHT) {
      const some = names.slice(i, i + DELETES_IN_FLIGHT);
      await Promise.all(
        some.map((name) => deleteTree(requests, prefix + name, { ...below, missingOk: true })),
      );
    }
    try {
      await deleteZnode(requests, path, options);
      return;
    } catch (error) {
      // A child was created meanwhile.
      if (!ZkError.is(error, 'NOT_EMPTY')) throw error;
    }
  }
}
