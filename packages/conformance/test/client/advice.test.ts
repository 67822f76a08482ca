import { connect } from '@zebu/client';
import { silentLogger, startServer } from '@zebu/server';
import { expect, test } from 'vitest';

test('a TTL znode that the server does not allow is refused with what to set, in its log too', async () => {
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  await using server = await startServer({ port: 0, logger });
  await using zk = await connect(server.connectString);
  const options = { mode: { ttlMs: 1000 } };
  const advice = expect.stringContaining(
    'TTL znodes need extendedTypesEnabled=true in the configuration of every server',
  );
  for (let i = 0; i < 2; i++) {
    await expect(zk.create('/t', '', options)).rejects.toMatchObject({
      code: 'UNIMPLEMENTED',
      message: advice,
    });
  }
  await expect(zk.multi([{ op: 'create', path: '/t', options }])).rejects.toMatchObject({
    code: 'MULTI_FAILED',
    message: advice,
  });
  expect(warnings).toEqual([
    'A client asked for a TTL znode: set extendedTypesEnabled=true to allow them',
  ]);
});

test('a chroot that is missing is named, where nothing else can be missing', async () => {
  await using server = await startServer({ port: 0 });
  await using zk = await connect(`${server.connectString}/app`);
  const advice = 'the chroot /app does not exist; create it first, by a client without a chroot';
  for (const call of [
    zk.create('/a', ''),
    zk.get('/'),
    zk.children('/'),
    zk.multi([{ op: 'create', path: '/a' }]),
  ]) {
    await expect(call).rejects.toThrow(advice);
  }
  await expect(zk.get('/a')).rejects.not.toThrow(advice);
  await expect(zk.create('/a/b', '')).rejects.not.toThrow(advice);
  await using root = await connect(server.connectString);
  await root.create('/app', '');
  expect((await zk.create('/a', '')).path).toBe('/a');
  await expect(zk.get('/b')).rejects.not.toThrow(advice);
  await expect(root.create('/x/y', '')).rejects.not.toThrow('chroot');
});
