// Any number of operations, as a series of multis that are sent while somebody reads the results.

import {
  ByteReader,
  type ByteWriter,
  OpCode,
  readMultiRequest,
  writeMultiResponse,
} from '@zebu/protocol';
import { expect, test } from 'vitest';
import type { BulkOptions, Op } from '../src/index.ts';
import { type ServerRequest, STAT, World, watched } from './world.ts';

const creates = (count: number, data = 'x'): Op[] =>
  Array.from({ length: count }, (_, i) => ({ op: 'create', path: `/n${i}`, data }));

/** Each operation takes some turns of the microtasks, of which settle() allows few without an event. */
async function settle(world: World): Promise<void> {
  for (let i = 0; i < 500; i++) await world.settle();
}

/** A server that answers multis of creates; `refuse` names paths that are there already. */
async function connected(refuse: readonly string[] = []) {
  const world = new World();
  const multis: { paths: string[]; bytes: number; request: ServerRequest }[] = [];
  const server = await world.serve();
  const answer = ({ paths, request }: (typeof multis)[number]): void => {
    const at = paths.findIndex((path) => refuse.includes(path));
    request.connection.reply(request.xid, 0, (writer: ByteWriter) =>
      writeMultiResponse(
        writer,
        paths.map((path, i) =>
          at < 0
            ? { type: OpCode.create2, path, stat: STAT }
            : { type: OpCode.error, error: i < at ? 0 : i === at ? -110 : -2 },
        ),
      ),
    );
  };
  let isHeld = false;
  server.script.request = (request) => {
    const bytes = request.body.bytes.subarray(request.body.offset);
    const ops = readMultiRequest(new ByteReader(bytes)) as unknown as {
      request: { path: string };
    }[];
    const multi = {
      paths: ops.map(({ request: { path } }) => path),
      bytes: request.bytes,
      request,
    };
    multis.push(multi);
    if (!isHeld) answer(multi);
  };
  const zk = await world.connect({ maxPacketBytes: 20_000 });
  return {
    world,
    multis,
    hold: () => {
      isHeld = true;
    },
    answer,
    run: async (ops: Iterable<Op> | AsyncIterable<Op>, options?: BulkOptions) => {
      const results: (readonly unknown[])[] = [];
      const running = watched(
        (async () => {
          for await (const some of zk.bulk(ops, options)) results.push(some);
        })(),
      );
      await settle(world);
      return { results, running };
    },
  };
}

test('1,000 creates go out as multis of 300, in order, and each has its results', async () => {
  const { run, multis } = await connected();
  const { results, running } = await run(creates(1000), { maxOps: 300 });
  expect(running).toMatchObject({ isSettled: true, value: undefined });
  expect(multis.map(({ paths }) => paths.length)).toEqual([300, 300, 300, 100]);
  expect(multis.flatMap(({ paths }) => paths)).toEqual(creates(1000).map(({ path }) => path));
  expect(results.map((some) => some.length)).toEqual([300, 300, 300, 100]);
  expect(results.flat()).toMatchObject(creates(1000).map(({ path }) => ({ path })));
});

test('none is longer than maxBytes, or than maxPacketBytes', async () => {
  const { run, multis } = await connected();
  await run(creates(100, 'x'.repeat(900)), { maxBytes: 5000 });
  expect(Math.max(...multis.map(({ bytes }) => bytes))).toBeLessThanOrEqual(5000 + 17);
  multis.length = 0;
  await run(creates(100, 'x'.repeat(900)));
  expect(multis.length).toBeGreaterThan(4);
  expect(Math.max(...multis.map(({ bytes }) => bytes))).toBeLessThanOrEqual(20_000);
});

test('no more are on their way than inFlight says, and no more is taken than fits', async () => {
  const { run, multis, hold, answer, world } = await connected();
  hold();
  let taken = 0;
  async function* source(): AsyncGenerator<Op> {
    for (const op of creates(100)) {
      taken++;
      yield op;
    }
  }
  const { running } = await run(source(), { maxOps: 10, inFlight: 2 });
  expect([multis.length, taken]).toEqual([2, 31]);
  for (let i = 0; i < 10; i++) {
    expect(multis.length).toBe(Math.min(i + 2, 10));
    answer(multis[i] as (typeof multis)[number]);
    await settle(world);
  }
  expect(running.isSettled).toBe(true);
});

test('one that is refused throws after the results of those before it; with inFlight 1 it is the last', async () => {
  const { run, multis } = await connected(['/n25']);
  const { results, running } = await run(creates(100), { maxOps: 10, inFlight: 1 });
  expect(results).toHaveLength(2);
  expect(running.error).toMatchObject({ code: 'MULTI_FAILED', index: 5, path: '/n25' });
  expect(multis).toHaveLength(3);
});

test('a reader that leaves stops it', async () => {
  const { world, multis } = await connected();
  const zk = await world.connect();
  const reading = watched(
    (async () => {
      for await (const _ of zk.bulk(creates(1000), { maxOps: 10, inFlight: 2 })) break;
    })(),
  );
  await settle(world);
  expect(reading.isSettled).toBe(true);
  expect(multis.length).toBeLessThanOrEqual(3);
});

test('without operations nothing is sent, and a wrong one or a wrong option is a TypeError', async () => {
  const { run, multis } = await connected();
  expect((await run([])).running.isSettled).toBe(true);
  const { running } = await run([{ op: 'put', path: '/a' } as unknown as Op]);
  expect(running.error).toBeInstanceOf(TypeError);
  expect((await run([], { maxOps: 0 })).running.error).toBeInstanceOf(TypeError);
  expect(multis).toEqual([]);
});
