// Asks a server for its version, by the four-letter word `srvr`, which ZooKeeper answers by default.

import { connect } from 'node:net';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Parses `host:port[,host:port]`. Throws SyntaxError on anything else. */
export function parseAddresses(text: string): Address[] {
  return text.split(',').map((part) => {
    const match = part.trim().match(/^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/);
    const port = Number(match?.[3]);
    if (match === null || port < 1 || port > 65535) {
      throw new SyntaxError(`Not host:port: ${part}`);
    }
    return { host: (match[1] ?? match[2]) as string, port };
  });
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The version that the server claims, or undefined when it does not answer `srvr`. */
export async function serverVersion(address: Address): Promise<string | undefined> {
  const answer = await fourLetterWord(address, 'srvr').catch(() => '');
  // In Apache's line the version is followed by the commit and the build date.
  return answer.match(/^Zookeeper version: ([^,\n]*)/m)?.[1]?.replace(/-[0-9a-f]{40}$/, '');
}

/** Sends a four-letter word and returns all that comes until the server closes. */
export function fourLetterWord(address: Address, word: string, timeoutMs = 3000): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(address);
    socket.setEncoding('latin1');
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`No answer to ${word}`)));
    socket.on('connect', () => socket.write(word));
    socket.on('data', (text: string) => {
      answer += text;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}
