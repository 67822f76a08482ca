// Clients leave file descriptors for the files of the process, however they are accepted.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { nodeNetwork } from '../src/index.ts';

const script = new URL('fixtures/serve.ts', import.meta.url).pathname;
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
  }
});

// Elsewhere the system does not say how many there may be.
test.skipIf(process.platform !== 'linux').each(['handles', 'sockets', 'tls'])(
  'of more clients than there are descriptors (%s) the last are sent away; members and files are let in',
  async (way) => {
    const child = spawn(
      'sh',
      [
        '-c',
        'ulimit -n 80; exec "$@"',
        'sh',
        process.execPath,
        '--conditions=@zebu/source',
        script,
        way,
      ],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    );
    children.push(child);
    const [{ port, memberPort }] = (await once(child, 'message')) as [
      { port: number; memberPort: number },
    ];
    const network = nodeNetwork();
    let greeted = 0;
    let closed = 0;
    const dial = (target: number) =>
      network.dial(
        { host: '127.0.0.1', port: target, ...(way === 'tls' ? { tls: { verify: false } } : {}) },
        {
          connected() {},
          data() {
            greeted++;
          },
          drained() {},
          closed() {
            closed++;
          },
        },
      );
    const clients = Array.from({ length: 120 }, () => dial(port));
    while (greeted + closed < clients.length) await new Promise((resolve) => setImmediate(resolve));
    child.send('how was it?');
    const [report] = await once(child, 'message');
    // 80 are few: a quarter of them is the reserve. The process has some 20 of its own.
    expect(report).toEqual({ refused: closed, accepted: greeted, files: 8 });
    expect(greeted).toBeGreaterThan(10);
    expect(greeted).toBeLessThan(60);
    const clientsClosed = closed;
    const members = Array.from({ length: 3 }, () => dial(memberPort));
    while (greeted < (report as { accepted: number }).accepted + 3 && closed === clientsClosed) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(closed).toBe(clientsClosed);
    for (const one of [...clients, ...members]) one.destroy();
  },
);
