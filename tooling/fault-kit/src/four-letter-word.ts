// What a server says of itself.

import { connect as dial } from 'node:net';

interface Address {
  readonly host?: string;
  readonly port: number;
}

/** The answer to a word, which must be on the server's whitelist. */
export function fourLetterWord(
  { host = '127.0.0.1', port }: Address,
  word: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = dial({ host, port }, () => socket.write(word));
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (text) => {
      answer += text;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

/** How many watches the server has, of all its clients: the total of `wchs`. */
export async function watchCount(server: Address): Promise<number> {
  const answer = await fourLetterWord(server, 'wchs');
  const total = /^Total watches:(\d+)/m.exec(answer)?.[1];
  if (total === undefined) throw new Error(`wchs answered ${JSON.stringify(answer)}`);
  return Number(total);
}
