// A proxy that corrupts what a server sends, to prove that the comparison notices it. Each plant is one kind of
// defect that a server could have.

import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Address } from './target.ts';
import { frame } from './wire.ts';

/** What the proxy does to the frames of one connection. */
export interface Plant {
  /** Frames that go on to the client instead of `payload`, a frame of the server. */
  reply?(payload: Buffer): readonly Buffer[];
  /** The same for a frame of the client. */
  request?(payload: Buffer): readonly Buffer[];
}

/** Listens on a free port and passes everything to `server`, changed by a plant made for each connection. */
export async function startLyingProxy(
  server: Address,
  makePlant: () => Plant,
): Promise<{ port: number } & AsyncDisposable> {
  const open = new Set<Socket>();
  const listener: Server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ ...server, noDelay: true });
    const plant = makePlant();
    pass(client, upstream, isFourLetterWord, plant.request);
    pass(upstream, client, () => false, plant.reply);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
    }
  });
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (listener.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

/** Passes frames from one socket to the other; what is not framed passes as it is. */
function pass(
  from: Socket,
  to: Socket,
  isUnframed: (chunk: Buffer) => boolean,
  change: ((payload: Buffer) => readonly Buffer[]) | undefined,
): void {
  let tail: Buffer = Buffer.alloc(0);
  let isRaw = change === undefined;
  from.on('data', (chunk: Buffer) => {
    if (!isRaw && tail.length === 0 && isUnframed(chunk)) isRaw = true;
    if (isRaw) {
      to.write(chunk);
      return;
    }
    tail = Buffer.concat([tail, chunk]);
    while (tail.length >= 4) {
      const length = tail.readInt32BE(0);
      // Garbage, or the text that answers a four-letter word.
      if (length < 0 || length > 0x1000000) {
        isRaw = true;
        to.write(tail);
        return;
      }
      if (tail.length < 4 + length) break;
      const payload = tail.subarray(4, 4 + length);
      for (const changed of change?.(payload) ?? []) to.write(frame(changed));
      tail = tail.subarray(4 + length);
    }
  });
  from.on('error', () => {});
  from.on('close', () => to.destroy());
}

function isFourLetterWord(chunk: Buffer): boolean {
  return /^[a-z]{4}/.test(chunk.toString('latin1', 0, 4));
}
