// The ensemble's own description of itself, the text of /zookeeper/config:
//
//   server.1=zk1:2888:3888:participant;0.0.0.0:2181
//   version=100000000

export interface EnsembleConfig {
  /** A server's number to what follows `server.N=`. */
  readonly members: ReadonlyMap<number, string>;
  /** The zxid of the reconfig that made it; -1 where the server does not say. */
  readonly version: bigint;
  /** The version in hex, as in the text. */
  toJSON(): { members: Record<string, string>; version: string };
}

export function parseConfig(text: string): EnsembleConfig {
  const members = new Map<number, string>();
  let version = -1n;
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals < 0) continue;
    const key = line.slice(0, equals).trim();
    const value = line.slice(equals + 1).trim();
    const sid = /^server\.(\d+)$/.exec(key)?.[1];
    if (sid !== undefined) members.set(Number(sid), value);
    else if (key === 'version' && /^[0-9a-f]{1,16}$/i.test(value)) {
      version = BigInt.asIntN(64, BigInt(`0x${value}`));
    }
  }
  return new ParsedConfig(members, version);
}

class ParsedConfig implements EnsembleConfig {
  readonly members: ReadonlyMap<number, string>;
  readonly version: bigint;

  constructor(members: ReadonlyMap<number, string>, version: bigint) {
    this.members = members;
    this.version = version;
  }

  toJSON(): { members: Record<string, string>; version: string } {
    const { members, version } = this;
    return { members: Object.fromEntries(members), version: version.toString(16) };
  }
}
