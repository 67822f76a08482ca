import {
  ByteWriter,
  ElectionState,
  encodeNotification,
  FrameDecoder,
  type HostAndPort,
  PREAMBLE_V1,
  PREAMBLE_V2,
  preambleLength,
  readNotification,
  readPreamble,
  writePreamble,
} from '@zebu/protocol';
import {
  type Connection,
  type DialHandler,
  type DialOptions,
  type MemoryNetworkOptions,
  memoryNetwork,
  type Network,
} from '@zebu/transport';
import { describe, expect, test } from 'vitest';
import {
  ElectionLinks,
  type ElectionLinksOptions,
  MAX_STRANGERS,
  MAX_UNKNOWN_CONNECTIONS,
} from '../../src/ensemble/election-links.ts';
import type { Scheduler } from '../../src/environment.ts';
import type { Logger } from '../../src/logger.ts';

const PORT = 3888;

/** A network and a clock that are driven by hand, and the members on them. */
class World {
  nowMs = 0;
  readonly network: Network;
  readonly dials: DialOptions[] = [];
  private readonly queue: (() => void)[] = [];
  private timers: { atMs: number; task: () => void }[] = [];

  constructor(options: Partial<MemoryNetworkOptions> = {}) {
    const network = memoryNetwork({ schedule: (task) => this.queue.push(task), ...options });
    this.network = {
      listen: (listenOptions, accept) => network.listen(listenOptions, accept),
      dial: (dialOptions, handler) => {
        this.dials.push(dialOptions);
        return network.dial(dialOptions, handler);
      },
    };
  }

  readonly scheduler: Scheduler = {
    afterTurn: (task) => void this.queue.push(task),
    every: () => () => {},
    after: (delayMs, task) => {
      const timer = { atMs: this.nowMs + delayMs, task };
      this.timers.push(timer);
      return () => {
        this.timers = this.timers.filter((one) => one !== timer);
      };
    },
  };

  /** Everything that happens without time passing. */
  settle(): void {
    for (let steps = 0; this.queue.length > 0; steps++) {
      if (steps > 100_000) throw new Error('It never comes to rest');
      this.queue.shift()?.();
    }
  }

  run(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      this.settle();
      const due = this.timers
        .filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.nowMs = due.atMs;
      this.timers = this.timers.filter((one) => one !== due);
      due.task();
    }
    this.nowMs = endMs;
  }

  get timersLeft(): number {
    return this.timers.length;
  }
}

interface MemberOptions {
  sid: number;
  members?: number[];
  host?: string;
  addressesOf?: ElectionLinksOptions['addressesOf'];
}

class TestMember {
  readonly links: ElectionLinks;
  readonly received: { sid: number; leader: number }[] = [];
  readonly unreachable: number[] = [];
  readonly logged: string[] = [];
  readonly host: string;

  constructor(
    world: World,
    { sid, members = [1, 2, 3], host = `host${sid}`, addressesOf }: MemberOptions,
  ) {
    this.host = host;
    const log = (message: string, fields?: object) =>
      void this.logged.push(`${message} ${JSON.stringify(fields)}`);
    const logger: Logger = { debugEnabled: false, debug() {}, info: log, warn: log, error: log };
    this.links = new ElectionLinks(
      {
        sid,
        announced: { host, port: PORT },
        addressesOf:
          addressesOf ??
          ((one) => (members.includes(one) ? [{ host: `host${one}`, port: PORT }] : undefined)),
        network: world.network,
        scheduler: world.scheduler,
        logger,
        preambleTimeoutMs: 1000,
      },
      {
        notification: (from, { leader }) => this.received.push({ sid: from, leader }),
        unreachable: (one) => this.unreachable.push(one),
      },
    );
    void world.network.listen({ host, port: PORT }, this.links.accept);
  }

  vote(to: number, leader: number): void {
    this.links.send(to, {
      state: ElectionState.LOOKING,
      leader,
      zxid: 0,
      electionEpoch: 1,
      peerEpoch: 0,
      configText: 'version=0',
    });
  }
}

function preambleOf(
  sid: number,
  addresses: HostAndPort[] = [{ host: `host${sid}`, port: PORT }],
  version: typeof PREAMBLE_V1 | typeof PREAMBLE_V2 = PREAMBLE_V1,
): Buffer {
  const writer = new ByteWriter();
  writePreamble(writer, { version, sid, addresses });
  return Buffer.from(writer.view());
}

function frameOf(leader: number): Buffer {
  const payload = encodeNotification({
    state: ElectionState.LOOKING,
    leader,
    zxid: 0,
    electionEpoch: 1,
    peerEpoch: 0,
    configText: '',
  });
  return Buffer.concat([lengthOf(payload.length), payload]);
}

function lengthOf(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** A peer whose every byte the test decides: it dials, or accepts and reads. */
class RawPeer implements DialHandler {
  connection: Connection | undefined = undefined;
  bytes: Buffer = Buffer.alloc(0);
  isClosed = false;
  reason: Error | undefined = undefined;

  static dialled(world: World, host: string, ...chunks: Buffer[]): RawPeer {
    const peer = new RawPeer();
    peer.connection = world.network.dial({ host, port: PORT }, peer);
    for (const chunk of chunks) peer.write(chunk);
    world.settle();
    return peer;
  }

  write(bytes: Buffer): void {
    this.connection?.write(Buffer.from(bytes), 0, bytes.length);
  }

  /** Leaders of the notifications that came, after a preamble if there is one. */
  votes(hasPreamble: boolean): number[] {
    const leaders: number[] = [];
    const at = hasPreamble ? preambleLength(this.bytes, 0, this.bytes.length) : 0;
    new FrameDecoder(1 << 20).push(this.bytes, at, this.bytes.length, (bytes, start, end) => {
      leaders.push(readNotification(bytes, start, end).leader);
      return true;
    });
    return leaders;
  }

  connected(): void {}
  data(bytes: Buffer, start: number, end: number): void {
    this.bytes = Buffer.concat([this.bytes, bytes.subarray(start, end)]);
  }
  drained(): void {}
  closed(reason?: Error): void {
    this.isClosed = true;
    this.reason = reason;
  }
}

/** Listens as `sid` would, with a RawPeer for each connection. */
function rawListener(world: World, sid: number): RawPeer[] {
  const accepted: RawPeer[] = [];
  void world.network.listen({ host: `host${sid}`, port: PORT }, (connection) => {
    const peer = new RawPeer();
    peer.connection = connection;
    accepted.push(peer);
    return peer;
  });
  return accepted;
}

describe('who dials', () => {
  test('the larger sid keeps the link that it dialled', () => {
    const world = new World();
    const [one, two] = [new TestMember(world, { sid: 1 }), new TestMember(world, { sid: 2 })];
    two.vote(1, 7);
    world.settle();
    expect(one.received).toEqual([{ sid: 2, leader: 7 }]);
    expect(world.dials).toHaveLength(1);
    one.vote(2, 8);
    world.settle();
    expect(two.received).toEqual([{ sid: 1, leader: 8 }]);
    expect(world.dials).toHaveLength(1);
  });

  test('the smaller sid is dialled back, and its message arrives', () => {
    const world = new World();
    const [one, two] = [new TestMember(world, { sid: 1 }), new TestMember(world, { sid: 2 })];
    one.vote(2, 7);
    world.settle();
    expect(two.received).toEqual([{ sid: 1, leader: 7 }]);
    expect(world.dials.map(({ host }) => host)).toEqual(['host2', 'host1']);
    expect(one.links.isConnectedTo(2)).toBe(true);
    expect(one.unreachable).toEqual([]);
    expect(two.unreachable).toEqual([]);
  });

  test('the first message is V1 with the announced address, in one write', () => {
    const world = new World();
    const [accepted, member] = [rawListener(world, 1), new TestMember(world, { sid: 2 })];
    member.vote(1, 2);
    world.settle();
    const { bytes } = accepted[0] as RawPeer;
    const length = preambleLength(bytes, 0, bytes.length);
    expect(readPreamble(bytes, 0, length)).toEqual({
      version: PREAMBLE_V1,
      sid: 2,
      addresses: [{ host: 'host2', port: PORT }],
    });
    expect(accepted[0]?.votes(true)).toEqual([2]);
  });

  test('all at once, in any order and cut anywhere, everybody hears everybody', () => {
    for (let seed = 1; seed <= 60; seed++) {
      let state = seed;
      const random = (below: number) => {
        state = (state * 48_271) % 2_147_483_647;
        return state % below;
      };
      const world = new World({ cut: (available) => 1 + random(Math.min(available, 40)) });
      const members = [1, 2, 3].map((sid) => new TestMember(world, { sid }));
      for (let round = 0; round < 6; round++) {
        for (const [i, member] of members.entries()) {
          for (const to of [1, 2, 3]) if (random(3) > 0) member.vote(to, 10 * round + i);
          if (random(2) === 0) world.run(random(30));
        }
      }
      for (const [i, member] of members.entries())
        for (const to of [1, 2, 3]) member.vote(to, 100 + i);
      world.run(1000);
      for (const [i, member] of members.entries()) {
        for (const [from, other] of members.entries()) {
          if (other === member) continue;
          const last = member.received.filter(({ sid }) => sid === from + 1).at(-1);
          expect(last, `seed ${seed}: ${from + 1} to ${i + 1}`).toEqual({
            sid: from + 1,
            leader: 100 + from,
          });
        }
      }
    }
  });

  test('a member is not its own peer', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 1 });
    member.vote(1, 1);
    world.run(1000);
    expect(world.dials).toEqual([]);
  });
});

describe('what is sent', () => {
  test('of messages that wait only the newest is sent', () => {
    const world = new World();
    const [accepted, member] = [rawListener(world, 1), new TestMember(world, { sid: 2 })];
    for (const leader of [1, 2, 3]) member.vote(1, leader);
    world.settle();
    expect(accepted[0]?.votes(true)).toEqual([3]);
  });

  test('while the peer does not read, one message waits, and it is the newest', () => {
    const world = new World({ windowBytes: 100 });
    const accepted = rawListener(world, 1);
    const member = new TestMember(world, { sid: 2 });
    member.vote(1, 0);
    world.settle();
    accepted[0]?.connection?.pause();
    for (let leader = 1; leader <= 50; leader++) {
      member.vote(1, leader);
      world.settle();
    }
    accepted[0]?.connection?.resume();
    world.settle();
    const votes = accepted[0]?.votes(true) as number[];
    expect(votes.at(-1)).toBe(50);
    expect(votes.length).toBeLessThan(6);
    expect(votes).toEqual([...votes].sort((a, b) => a - b));
  });

  test('a new link begins with the last message, since the peer may not have read it', () => {
    const world = new World();
    const [accepted, member] = [rawListener(world, 1), new TestMember(world, { sid: 2 })];
    member.vote(1, 5);
    world.settle();
    RawPeer.dialled(world, 'host2', preambleOf(1));
    expect(accepted).toHaveLength(2);
    expect(accepted[1]?.votes(true)).toEqual([5]);
  });

  test('a waiting message goes before the last one', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 1 });
    const first = RawPeer.dialled(world, 'host1', preambleOf(2));
    member.vote(2, 5);
    world.settle();
    first.connection?.destroy();
    world.settle();
    member.vote(2, 6);
    const second = RawPeer.dialled(world, 'host1', preambleOf(2));
    expect(first.votes(false)).toEqual([5]);
    expect(second.votes(false)).toEqual([6]);
  });

  test('a sid that is no member and has no link is not dialled', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 5 });
    member.vote(4, 1);
    world.run(1000);
    expect(world.dials).toEqual([]);
  });
});

describe('who dials us', () => {
  test('a smaller sid is dialled back where it says it is, though the config says otherwise', () => {
    const world = new World();
    const moved = rawListener(world, 9);
    new TestMember(world, { sid: 3 });
    const raw = RawPeer.dialled(world, 'host3', preambleOf(1, [{ host: 'host9', port: PORT }]));
    expect(raw.isClosed).toBe(true);
    expect(moved).toHaveLength(1);
  });

  test.each<[string, Buffer]>([
    ['announces a wildcard', preambleOf(1, [{ host: '0.0.0.0', port: PORT }])],
    ['is older than 3.5', Buffer.from('0000000000000001', 'hex')],
  ])('a smaller sid that %s is dialled back where the config says', (_, preamble) => {
    const world = new World();
    const accepted = rawListener(world, 1);
    new TestMember(world, { sid: 3 });
    RawPeer.dialled(world, 'host3', preamble);
    expect(accepted).toHaveLength(1);
  });

  test('ZOOKEEPER-4787: an announced name that is not ASCII is counted in bytes, and dialled as it is', () => {
    const host = 'zoo-ä-動物園';
    const world = new World();
    new TestMember(world, { sid: 3 });
    const heard: Connection[] = [];
    void world.network.listen({ host, port: PORT }, (connection) => {
      heard.push(connection);
      return new RawPeer();
    });
    RawPeer.dialled(world, 'host3', preambleOf(1, [{ host, port: PORT }]));
    expect(heard).toHaveLength(1);
    // What this member says of itself is read by another one, with what comes after it.
    const asked = rawListener(world, 2);
    const own = new TestMember(world, { sid: 4, members: [2, 4], host: 'öst' });
    own.vote(2, 4);
    world.settle();
    const { bytes } = asked[0] as RawPeer;
    const end = preambleLength(bytes, 0, bytes.length);
    expect(readPreamble(bytes, 0, end).addresses).toEqual([{ host: 'öst', port: PORT }]);
    expect(asked[0]?.votes(true)).toEqual([4]);
  });

  test('several addresses are tried in their order', () => {
    const world = new World();
    const accepted = rawListener(world, 1);
    new TestMember(world, { sid: 3 });
    const addresses = ['host7', 'host8', 'host1'].map((host) => ({ host, port: PORT }));
    RawPeer.dialled(world, 'host3', preambleOf(1, addresses, PREAMBLE_V2));
    expect(world.dials.slice(1).map(({ host }) => host)).toEqual(['host7', 'host8', 'host1']);
    expect(accepted).toHaveLength(1);
  });

  test('a smaller sid that has a link has restarted: the link gives way', () => {
    const world = new World();
    const [accepted, member] = [rawListener(world, 1), new TestMember(world, { sid: 2 })];
    member.vote(1, 5);
    world.settle();
    RawPeer.dialled(world, 'host2', preambleOf(1));
    expect(accepted[0]?.isClosed).toBe(true);
    expect(accepted[1]?.isClosed).toBe(false);
    expect(member.unreachable).toEqual([]);
  });

  test('a larger sid replaces its older link', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 1 });
    const first = RawPeer.dialled(world, 'host1', preambleOf(2), frameOf(1));
    const second = RawPeer.dialled(world, 'host1', preambleOf(2), frameOf(2));
    first.write(frameOf(3));
    second.write(frameOf(4));
    world.settle();
    expect([first.isClosed, second.isClosed]).toEqual([true, false]);
    expect(member.received.map(({ leader }) => leader)).toEqual([1, 2, 4]);
    expect(member.unreachable).toEqual([]);
  });

  test('a larger sid that dials while we try to reach it ends our attempt', () => {
    const world = new World();
    const atItsPort = rawListener(world, 2);
    const hosts = [...Array.from({ length: 20 }, (_, i) => `dead${i}`), 'host2'];
    const addressesOf = () => hosts.map((host) => ({ host, port: PORT }));
    const member = new TestMember(world, { sid: 1, addressesOf });
    member.vote(2, 7);
    const raw = RawPeer.dialled(world, 'host1', preambleOf(2));
    world.run(1000);
    expect(raw.votes(false)).toEqual([7]);
    expect(raw.isClosed).toBe(false);
    expect(atItsPort).toEqual([]);
  });

  test('a server outside the config has a link, is answered, and is forgotten with it', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 1 });
    const joiner = RawPeer.dialled(world, 'host1', preambleOf(40), frameOf(9));
    expect(member.received).toEqual([{ sid: 40, leader: 9 }]);
    member.vote(40, 1);
    world.settle();
    expect(joiner.votes(false)).toEqual([1]);
    joiner.connection?.destroy();
    world.settle();
    member.vote(40, 2);
    world.run(1000);
    expect(world.dials).toHaveLength(1);
  });

  test('a smaller sid outside the config is dialled back', () => {
    const world = new World();
    const accepted = rawListener(world, 7);
    new TestMember(world, { sid: 50 });
    RawPeer.dialled(world, 'host50', preambleOf(7));
    expect(accepted).toHaveLength(1);
  });

  test('servers outside the config are bounded; members are not kept out by them', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 1 });
    const strangers = Array.from({ length: MAX_STRANGERS + 3 }, (_, i) =>
      RawPeer.dialled(world, 'host1', preambleOf(100 + i)),
    );
    expect(strangers.filter(({ isClosed }) => isClosed)).toHaveLength(3);
    expect(member.logged.at(-1)).toContain(`"limit":${MAX_STRANGERS}`);
    RawPeer.dialled(world, 'host1', preambleOf(2), frameOf(2));
    expect(member.received).toEqual([{ sid: 2, leader: 2 }]);
    strangers[0]?.connection?.destroy();
    world.settle();
    expect(RawPeer.dialled(world, 'host1', preambleOf(200)).isClosed).toBe(false);
  });

  test('strangers that cannot be dialled back are forgotten, too', () => {
    const world = new World();
    new TestMember(world, { sid: 1000 });
    for (let i = 0; i < 3 * MAX_STRANGERS; i++) {
      RawPeer.dialled(world, 'host1000', preambleOf(10 + i));
      world.run(200);
    }
    const accepted = rawListener(world, 500);
    RawPeer.dialled(world, 'host1000', preambleOf(500));
    expect(accepted).toHaveLength(1);
  });

  test('an observer without an id is refused in words', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 1 });
    const preamble = preambleOf(1);
    preamble.writeBigInt64BE(2n ** 63n - 1n, 8);
    expect(RawPeer.dialled(world, 'host1', preamble).isClosed).toBe(true);
    expect(member.logged.at(-1)).toMatch(/observer without an id .* give it a myid .*"from":/);
  });

  test('a server with our own sid is refused in words', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 1 });
    expect(RawPeer.dialled(world, 'host1', preambleOf(1)).isClosed).toBe(true);
    expect(member.logged.at(-1)).toMatch(/the id of this one/);
    world.run(1000);
    expect(world.dials).toHaveLength(1);
  });

  test('the first message may come in pieces of any size, with notifications after it', () => {
    const bytes = Buffer.concat([preambleOf(2), frameOf(5), frameOf(6)]);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const world = new World();
      const member = new TestMember(world, { sid: 1 });
      const raw = RawPeer.dialled(world, 'host1', bytes.subarray(0, cut));
      raw.write(bytes.subarray(cut));
      world.settle();
      expect(
        member.received.map(({ leader }) => leader),
        `cut at ${cut}`,
      ).toEqual([5, 6]);
    }
  });

  test.each<[string, Buffer]>([
    ['an unknown version', Buffer.from('fffffffffffefffe', 'hex')],
    ['a request of HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a negative sid', Buffer.from(`ffffffffffff0000${'f'.repeat(16)}0000000161`, 'hex')],
    ['an enormous length', Buffer.from('ffffffffffff000000000000000000027fffffff', 'hex')],
    [
      'an address without a port',
      Buffer.concat([preambleOf(2).subarray(0, 16), lengthOf(1), Buffer.from('a')]),
    ],
  ])('%s closes that connection and nothing else', (_, bytes) => {
    const world = new World();
    const member = new TestMember(world, { sid: 1 });
    const good = RawPeer.dialled(world, 'host1', preambleOf(2));
    const bad = RawPeer.dialled(world, 'host1', bytes);
    expect(bad.isClosed).toBe(true);
    expect(member.logged.at(-1)).toMatch(/^A connection to the election port is closed .*"why":"/);
    good.write(frameOf(3));
    world.settle();
    expect(member.received).toEqual([{ sid: 2, leader: 3 }]);
  });

  test('who dials from another address than the config has for it is heard, and warned of once', () => {
    const world = new World();
    const from = { address: '10.0.0.2' };
    const { network } = world;
    const accepting: Network = {
      dial: (options, handler) => network.dial(options, handler),
      listen: (options, accept) =>
        network.listen(options, (connection) => {
          Object.assign(connection, { remoteAddress: from.address });
          return accept(connection);
        }),
    };
    const elsewhere = Object.assign(Object.create(world) as World, { network: accepting });
    const addressesOf = (sid: number) =>
      sid === 2
        ? [{ host: '10.0.0.2', port: PORT }]
        : sid === 3
          ? [{ host: 'zoo', port: PORT }]
          : undefined;
    const member = new TestMember(elsewhere, { sid: 1, addressesOf });
    const warnings = () => member.logged.filter((line) => line.includes('another address'));
    RawPeer.dialled(world, 'host1', preambleOf(2), frameOf(7));
    from.address = '::ffff:10.0.0.2';
    RawPeer.dialled(world, 'host1', preambleOf(2), frameOf(7));
    // A name would have to be looked up.
    RawPeer.dialled(world, 'host1', preambleOf(3), frameOf(7));
    expect(warnings()).toEqual([]);
    from.address = '10.9.9.9';
    for (let i = 0; i < 3; i++) RawPeer.dialled(world, 'host1', preambleOf(2), frameOf(8));
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toContain('"sid":2,"from":"10.9.9.9:');
    expect(member.received.at(-1)).toEqual({ sid: 2, leader: 8 });
  });

  test('whoever does not say who it is in time is sent away', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 1 });
    const slow = RawPeer.dialled(world, 'host1', preambleOf(2).subarray(0, 29));
    const quick = RawPeer.dialled(world, 'host1', preambleOf(3));
    world.run(999);
    expect(slow.isClosed).toBe(false);
    world.run(1);
    expect([slow.isClosed, quick.isClosed]).toEqual([true, false]);
    expect(member.logged.at(-1)).toContain('no first message within 1000 ms');
    expect(world.timersLeft).toBe(0);
  });

  test('connections that do not say who they are are bounded', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 1 });
    const silent = Array.from({ length: MAX_UNKNOWN_CONNECTIONS + 2 }, () =>
      RawPeer.dialled(world, 'host1'),
    );
    expect(silent.filter(({ isClosed }) => isClosed)).toHaveLength(2);
    expect(member.logged.at(-1)).toContain(`"limit":${MAX_UNKNOWN_CONNECTIONS}`);
    silent[0]?.connection?.destroy();
    world.settle();
    expect(RawPeer.dialled(world, 'host1', preambleOf(2)).isClosed).toBe(false);
  });
});

describe('what comes over a link', () => {
  test.each<[string, Buffer, RegExp]>([
    ['a length of 0', lengthOf(0), /length 0/],
    ['a negative length', lengthOf(-1), /negative length/],
    ['a length over 512 KiB', lengthOf(512 * 1024 + 1), /length 524289, limit 524288/],
  ])('%s closes the link', (_, bytes, reason) => {
    const world = new World();
    const member = new TestMember(world, { sid: 1 });
    const raw = RawPeer.dialled(world, 'host1', preambleOf(2), bytes);
    expect(raw.isClosed).toBe(true);
    expect(member.logged.at(-1)).toMatch(reason);
    expect(member.unreachable).toEqual([2]);
  });

  test('ZOOKEEPER-3769: after a notification that was cut off, wherever, the next one is heard', () => {
    const whole = frameOf(1).subarray(4);
    for (let length = 1; length < whole.length; length++) {
      const world = new World();
      const member = new TestMember(world, { sid: 1 });
      const cut = Buffer.concat([lengthOf(length), whole.subarray(0, length)]);
      RawPeer.dialled(world, 'host1', preambleOf(2), cut, frameOf(8));
      expect(member.received.at(-1), `${length} bytes`).toEqual({ sid: 2, leader: 8 });
    }
  });

  test('a notification that cannot be read is left out, and the link stays', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 1 });
    const unknownState = frameOf(1);
    unknownState.writeInt32BE(9, 4);
    const short = Buffer.concat([lengthOf(10), Buffer.alloc(10)]);
    const raw = RawPeer.dialled(world, 'host1', preambleOf(2), unknownState, short, frameOf(8));
    expect(raw.isClosed).toBe(false);
    expect(member.received).toEqual([{ sid: 2, leader: 8 }]);
    expect(member.logged.filter((line) => line.includes('left out'))).toHaveLength(2);
  });
});

describe('a member that cannot be reached', () => {
  test('is reported when its port refuses, once for each attempt, and logged once', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 3 });
    for (let i = 1; i <= 4; i++) {
      member.vote(1, 3);
      world.run(1000);
      expect(member.unreachable).toEqual(Array(i).fill(1));
    }
    expect(member.logged).toHaveLength(1);
    expect(member.logged[0]).toMatch(/"sid":1,"at":"host1:3888","why":".*refused"/);
  });

  test('is reported when its link ends, and reached again by the next message', () => {
    const world = new World();
    const [accepted, member] = [rawListener(world, 1), new TestMember(world, { sid: 2 })];
    member.vote(1, 5);
    world.run(500);
    accepted[0]?.connection?.destroy();
    world.settle();
    expect(member.unreachable).toEqual([1]);
    expect(member.links.isConnectedTo(1)).toBe(false);
    member.vote(1, 6);
    world.run(500);
    expect(accepted[1]?.votes(true)).toEqual([6]);
  });

  test('is not reported while it replaces the link that we asked for', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 1 });
    const dialledByUs = rawListener(world, 2);
    const link = RawPeer.dialled(world, 'host1', preambleOf(2));
    link.connection?.destroy();
    world.settle();
    expect(member.unreachable).toEqual([2]);
    // It dials, asks to be dialled back, and is at once: but that link gives way to another one.
    member.vote(2, 1);
    world.settle();
    expect(dialledByUs).toHaveLength(1);
    const early = RawPeer.dialled(world, 'host1', preambleOf(2));
    early.connection?.destroy();
    world.settle();
    RawPeer.dialled(world, 'host1', preambleOf(2));
    world.run(1000);
    expect(member.unreachable).toEqual([2]);
    expect(member.links.isConnectedTo(2)).toBe(true);
  });

  test('is reported a moment later if that replacement does not come', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 1 });
    rawListener(world, 2);
    member.vote(2, 1);
    world.settle();
    RawPeer.dialled(world, 'host1', preambleOf(2)).connection?.destroy();
    world.settle();
    expect(member.unreachable).toEqual([]);
    world.run(1000);
    expect(member.unreachable).toEqual([2]);
  });

  test('is dialled once in 100 ms at most, whatever is sent', () => {
    const world = new World();
    const [accepted, member] = [rawListener(world, 2), new TestMember(world, { sid: 1 })];
    for (let i = 0; i < 100; i++) {
      member.vote(2, i);
      world.run(10);
    }
    // It never dials back.
    expect(accepted.length).toBeGreaterThan(8);
    expect(accepted.length).toBeLessThanOrEqual(11);
    const { length } = accepted;
    world.run(10_000);
    expect(accepted.length - length).toBeLessThanOrEqual(1);
  });

  test('is dialled once more after that moment, if something was sent in it', () => {
    const world = new World();
    const member = new TestMember(world, { sid: 2 });
    member.vote(1, 1);
    world.run(50);
    member.vote(1, 2);
    world.run(49);
    expect(world.dials).toHaveLength(1);
    const accepted = rawListener(world, 1);
    world.run(1);
    expect(accepted[0]?.votes(true)).toEqual([2]);
    world.run(10_000);
    expect(world.dials).toHaveLength(2);
  });

  test('is looked up anew at each attempt, within 5 s', () => {
    const world = new World();
    let host = 'nowhere';
    const member = new TestMember(world, { sid: 2, addressesOf: () => [{ host, port: PORT }] });
    member.vote(1, 1);
    world.run(1000);
    host = 'host1';
    const accepted = rawListener(world, 1);
    member.vote(1, 1);
    world.run(1000);
    expect(accepted).toHaveLength(1);
    expect(world.dials.map(({ host, connectTimeoutMs }) => [host, connectTimeoutMs])).toEqual([
      ['nowhere', 5000],
      ['host1', 5000],
    ]);
  });
});

test('stop closes every connection, and nothing is called afterwards', () => {
  const world = new World();
  const accepted = rawListener(world, 1);
  const member = new TestMember(world, { sid: 2 });
  member.vote(1, 2);
  const linked = RawPeer.dialled(world, 'host2', preambleOf(3));
  const unknown = RawPeer.dialled(world, 'host2');
  member.vote(3, 1);
  member.links.stop();
  linked.write(frameOf(1));
  world.run(10_000);
  expect([accepted[0]?.isClosed, linked.isClosed, unknown.isClosed]).toEqual([true, true, true]);
  expect([member.received, member.unreachable]).toEqual([[], []]);
  const late = RawPeer.dialled(world, 'host2', preambleOf(3), frameOf(1));
  const { length } = world.dials;
  member.vote(1, 9);
  world.run(1000);
  expect(world.dials).toHaveLength(length);
  expect(late.isClosed).toBe(true);
  expect(member.received).toEqual([]);
  expect(world.timersLeft).toBe(0);
});
