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

/** How many watches of data the server has, of all its clients: the total of `wchs`, which leaves out those of children. */
export async function watchCount(server: Address): Promise<number> {
  const answer = await fourLetterWord(server, 'wchs');
  const total = /^Total watches:(\d+)/m.exec(answer)?.[1];
  if (total === undefined) throw new Error(`wchs answered ${JSON.stringify(answer)}`);
  return Number(total);
}

/** How many entries both tables of watches have, those of data and those of children: `zk_watch_count` of `mntr`. */
export async function allWatchCount(server: Address): Promise<number> {
  const answer = await fourLetterWord(server, 'mntr');
  const total = /^zk_watch_count\t(\d+)/m.exec(answer)?.[1];
  if (total === undefined) throw new Error(`mntr answered ${JSON.stringify(answer)}`);
  return Number(total);
}
