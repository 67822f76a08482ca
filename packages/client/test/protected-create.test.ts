import { describe, expect, test } from 'vitest';
import { type Created, type Session, type Stat, ZkError } from '../src/index.ts';
import { createProtected, type ProtectedCalls } from '../src/protected-create.ts';

const PATH = '/l/_c_ID-lock-';
const ZNODE = `${PATH}0000000007`;

const sessionOf = (id: bigint) => ({ id }) as Session;
const lost = () => new ZkError('CONNECTION_LOSS', { op: 'create', path: PATH, outcome: 'unknown' });

/** The session becomes `next` while the create waits; its reply is lost, and there is a znode of `owner`. */
function calls(sessions: {
  first: Session;
  next: Session;
  owner: bigint | undefined;
}): ProtectedCalls {
  const { first, next, owner } = sessions;
  let session = first;
  return {
    session: () => session,
    create: async () => {
      session = next;
      throw lost();
    },
    children: async () => (owner === undefined ? [] : [ZNODE.slice('/l/'.length)]),
    exists: async () => ({ ephemeralOwner: owner }) as Stat,
  };
}

describe('a protected create whose reply was lost after its session had ended', () => {
  const [first, next] = [sessionOf(1n), sessionOf(2n)];
  const create = (owner: bigint | undefined): Promise<Created> =>
    createProtected(calls({ first, next, owner }), PATH, true);

  test('has its znode when the create had waited for the next session', async () => {
    expect(await create(2n)).toMatchObject({ path: ZNODE, sequence: 7, session: next });
  });

  test('has none when the znode is of the session that ended', async () => {
    await expect(create(1n)).rejects.toMatchObject({ code: 'SESSION_EXPIRED' });
  });

  test('has none when there is no znode', async () => {
    await expect(create(undefined)).rejects.toMatchObject({ code: 'SESSION_EXPIRED' });
  });
});
