// Asks a server one of its four-letter words, over a connection of its own: how every test here learns
// that a server serves, and what it holds.

import { connect } from 'node:net';

/**
 * The whole answer to `word`, up to the server's end of file. Throws when nothing listens at `port`,
 * when the connection breaks, or when the server says nothing for `timeoutMs`.
 */
export function fourLetterWord(
  port: number,
  word: string,
  { host = '127.0.0.1', timeoutMs = 5000 }: { host?: string; timeoutMs?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host, port });
    socket.setTimeout(timeoutMs, () =>
      socket.destroy(new Error(`No answer to ${word} in ${timeoutMs} ms`)),
    );
    socket.on('connect', () => socket.write(word));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
}

/** The keys and values of `mntr`; a line is `key<tab>value`. */
export async function monitor(port: number): Promise<Map<string, string>> {
  const text = await fourLetterWord(port, 'mntr');
  return new Map(
    text
      .split('\n')
      .filter((line) => line.includes('\t'))
      .map((line) => [line.slice(0, line.indexOf('\t')), line.slice(line.indexOf('\t') + 1)]),
  );
}
