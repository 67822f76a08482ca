// Four-letter words: one word on a connection of its own, all that is answered until the server closes it.

import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { TlsOptions } from '@zebu/client';
import type { HostPort } from './servers.ts';

/** Longer answers are cut: `wchp` of a large server would fill the memory. */
const LONGEST_ANSWER = 16 * 1024 * 1024;

export interface WordTarget {
  readonly host: HostPort;
  readonly tls: TlsOptions | undefined;
}

/** Rejects when there is no answer in time, or none at all. */
export function askWord(
  { host: { host, port }, tls }: WordTarget,
  word: string,
  timeoutMs: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket =
      tls === undefined
        ? connectTcp({ host, port })
        : connectTls({
            host,
            port,
            ca: tls.ca as Buffer | undefined,
            cert: tls.cert as Buffer | undefined,
            key: tls.key as Buffer | undefined,
            passphrase: tls.passphrase,
            rejectUnauthorized: tls.verify ?? true,
            ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
          });
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(() => {
      socket.destroy(new Error(`no answer to ${word} within ${timeoutMs} ms`));
    }, timeoutMs);
    socket.on(tls === undefined ? 'connect' : 'secureConnect', () => socket.write(word));
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= LONGEST_ANSWER) chunks.push(chunk);
      else
        socket.destroy(new Error(`the answer to ${word} is longer than ${LONGEST_ANSWER} bytes`));
    });
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      if (bytes === 0) reject(new Error(`no answer to ${word}`));
      resolve(Buffer.concat(chunks).toString('utf8'));
    });
  });
}

/** What a word answers that the server's whitelist leaves out, or a server that serves nobody. */
export function isRefusal(answer: string): boolean {
  return /is not executed because it is not in the whitelist|not currently serving/.test(answer);
}

/** leader, follower, observer or standalone, from `srvr`; undefined where the server does not say. */
export async function askRole(target: WordTarget, timeoutMs: number): Promise<string | undefined> {
  try {
    return /^Mode: (\S+)$/m.exec(await askWord(target, 'srvr', timeoutMs))?.[1];
  } catch {
    return undefined;
  }
}
