import {
  ByteReader,
  ByteWriter,
  OpCode,
  readCreateRequest,
  readMultiRequest,
  readPathWatchRequest,
  readRequestHeader,
  readSetDataRequest,
} from '@zebu/protocol';
import { describe, expect, it } from 'vitest';
import type { RequestSource } from '../src/closed-loop.ts';
import { createWorkload, type WorkloadSettings } from '../src/workloads.ts';
import { floor } from './floor.ts';

const settings: WorkloadSettings = { path: '/w', keys: 1500, size: 16, children: 5, operations: 3 };

/** What a source sends, as frames; prepared on the floor, which is as good as any server here. */
async function framesOf(name: string, count: number) {
  await using server = await floor();
  const source = await createWorkload(name, settings).prepare(server.target);
  return Array.from({ length: count }, (_, index) => frameOf(source, index + 1));
}

function frameOf(source: RequestSource, xid: number) {
  const writer = new ByteWriter(8);
  const kind = source.kinds[source.next(writer, xid)];
  const bytes = Buffer.from(writer.view());
  expect(bytes.readInt32BE(0)).toBe(bytes.length - 4);
  const reader = new ByteReader(bytes, 4);
  const header = readRequestHeader(reader);
  expect(header.xid).toBe(xid);
  return { kind, type: header.type, reader };
}

const KEY = /^\/w\/keys\/d000[01]\/k\d{3}$/;

describe('createWorkload', () => {
  it.each([
    ['get', OpCode.getData],
    ['exists', OpCode.exists],
  ])('%s asks for keys of the set, without a watch', async (name, type) => {
    for (const frame of await framesOf(name, 50)) {
      expect(frame.type).toBe(type);
      expect(readPathWatchRequest(frame.reader)).toEqual({
        path: expect.stringMatching(KEY),
        watch: false,
      });
      expect(frame.reader.remaining).toBe(0);
    }
  });

  it('set writes whole values to keys of the set, whatever their version', async () => {
    for (const frame of await framesOf('set', 50)) {
      expect(frame.type).toBe(OpCode.setData);
      const { path, data, version } = readSetDataRequest(frame.reader);
      expect(path).toMatch(KEY);
      expect(data?.length).toBe(16);
      expect(version).toBe(-1);
    }
  });

  it('multi sets as many keys as asked, each its own', async () => {
    const paths = new Set<string>();
    for (const frame of await framesOf('multi', 20)) {
      const ops = readMultiRequest(frame.reader);
      expect(ops).toHaveLength(3);
      for (const op of ops) {
        expect(op.type).toBe(OpCode.setData);
        expect(op.request.path).toMatch(KEY);
        paths.add(op.request.path as string);
      }
    }
    expect(paths.size).toBeGreaterThan(50);
  });

  it('create never names a znode twice', async () => {
    const paths = (await framesOf('create', 50)).map(
      (frame) => readCreateRequest(frame.reader).path,
    );
    expect(new Set(paths).size).toBe(50);
    expect(paths[0]).toBe('/w/created/n0000000000');
  });

  it('children asks for the one parent', async () => {
    const [frame] = await framesOf('children', 1);
    expect(frame?.type).toBe(OpCode.getChildren);
    expect(readPathWatchRequest((frame as { reader: ByteReader }).reader).path).toBe(
      '/w/children/d0000',
    );
  });

  it.each([
    ['mixed', 0.9],
    ['70', 0.7],
    ['100', 1],
    ['0', 0],
  ])('%s has its share of gets', async (name, share) => {
    const frames = await framesOf(name, 2000);
    const gets = frames.filter((frame) => frame.kind === 'get');
    expect(gets.every((frame) => frame.type === OpCode.getData)).toBe(true);
    expect(Math.abs(gets.length / frames.length - share)).toBeLessThan(0.03);
  });

  it.each(['', 'gets', '101', '-1'])('refuses %j', (name) => {
    expect(() => createWorkload(name, settings)).toThrow(SyntaxError);
  });
});
