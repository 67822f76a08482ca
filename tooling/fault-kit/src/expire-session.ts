// The end of a session on demand: anybody who knows its id and password may end it, from another connection.

import { connect as dial, type Socket } from 'node:net';
import {
  ByteReader,
  ByteWriter,
  beginFrame,
  endFrame,
  FrameDecoder,
  OpCode,
  readConnectResponse,
  writeConnectRequest,
} from '@zebu/protocol';

/** What a session is taken over with. */
export interface Ticket {
  readonly id: bigint;
  readonly password: Uint8Array;
}

const TIMEOUT_MS = 10_000;

/**
 * Ends the session. Its owner finds out when it comes back: the server refuses it, as it refuses one whose time is
 * over. False if the session was over already.
 */
export async function expireSession(
  { host = '127.0.0.1', port }: { readonly host?: string; readonly port: number },
  ticket: Ticket,
): Promise<boolean> {
  const socket = dial({ host, port });
  try {
    const frames = framesOf(socket);
    send(socket, (writer) =>
      writeConnectRequest(writer, {
        protocolVersion: 0,
        lastZxidSeen: 0n,
        timeoutMs: TIMEOUT_MS,
        sessionId: ticket.id,
        password: ticket.password,
        readOnly: false,
      }),
    );
    const handshake = await frames.next();
    if (handshake === undefined) return false;
    if (readConnectResponse(new ByteReader(handshake)).timeoutMs <= 0) return false;
    send(socket, (writer) => {
      writer.int32(1);
      writer.int32(OpCode.closeSession);
    });
    // Its ephemeral znodes are gone with the reply.
    await frames.next();
    return true;
  } finally {
    socket.destroy();
  }
}

function send(socket: Socket, write: (writer: ByteWriter) => void): void {
  const writer = new ByteWriter();
  const mark = beginFrame(writer);
  write(writer);
  endFrame(writer, mark);
  socket.write(Buffer.from(writer.view()));
}

/** Frames one by one; undefined when the server has closed. */
function framesOf(socket: Socket): { next(): Promise<Buffer | undefined> } {
  const decoder = new FrameDecoder(0xfffff);
  const frames: Buffer[] = [];
  let isClosed = false;
  let error: Error | undefined;
  let wake = (): void => {};
  socket.on('data', (chunk: Buffer) => {
    decoder.push(chunk, 0, chunk.length, (bytes, start, end) => {
      frames.push(Buffer.from(bytes.subarray(start, end)));
      return true;
    });
    wake();
  });
  socket.on('error', (problem) => {
    error = problem;
  });
  socket.on('close', () => {
    isClosed = true;
    wake();
  });
  return {
    async next() {
      for (;;) {
        const frame = frames.shift();
        if (frame !== undefined) return frame;
        if (error !== undefined) throw error;
        if (isClosed) return undefined;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
