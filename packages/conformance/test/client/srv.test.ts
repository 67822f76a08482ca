// srv:// by Node's own resolver, against a name server of this test.

import { createSocket } from 'node:dgram';
import { getServers, setServers } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from '@zebu/client';
import { startServer } from '@zebu/server';
import { expect, test } from 'vitest';

/** A name as DNS packets have it. */
function labels(name: string): Buffer {
  const parts = name
    .split('.')
    .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
  return Buffer.concat([...parts, Buffer.alloc(1)]);
}

/** The question of a query, answered by SRV records (RFC 2782) of localhost. */
function answerTo(query: Buffer, ports: readonly number[]): Buffer {
  const questionEnd = query.indexOf(0, 12) + 5;
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(ports.length, 6);
  const target = labels('localhost');
  const records = ports.map((port) => {
    const record = Buffer.alloc(18);
    // The name is that of the question.
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(33, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt16BE(6 + target.length, 10);
    record.writeUInt16BE(port, 16);
    return Buffer.concat([record, target]);
  });
  return Buffer.concat([header, query.subarray(12, questionEnd), ...records]);
}

test('the servers of the SRV records are found, and one that is down is passed over', async () => {
  await using server = await startServer({ port: 0 });
  const names = createSocket('udp4');
  const asked: Buffer[] = [];
  names.on('message', (query, from) => {
    asked.push(query);
    names.send(answerTo(query, [1, server.port]), from.port, from.address);
  });
  names.bind(0, '127.0.0.1');
  await once(names, 'listening');
  const before = getServers();
  setServers([`127.0.0.1:${names.address().port}`]);
  try {
    await using zk = await connect('srv://_zookeeper._tcp.zebu.test');
    expect(zk.state).toMatchObject({ status: 'connected', server: `localhost:${server.port}` });
    await zk.create('/a', 'x');
    expect(asked[0]?.includes(labels('_zookeeper._tcp.zebu.test'))).toBe(true);
  } finally {
    setServers(before);
    names.close();
  }
});
