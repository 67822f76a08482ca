// Makes the random steps. It learns from the reference's answers which paths exist, so that most requests find
// a znode. The steps are plain data and can be replayed without the generator.
//
// `differences.ts` lists what is left out because Apache cannot be compared there.

import { QUOTA_STATS_NODE } from './differences.ts';
import { digestId, MAX_SESSION_TIMEOUT_MS, MIN_SESSION_TIMEOUT_MS, SUPER_USER } from './profile.ts';
import { Random } from './random.ts';
import {
  type AclList,
  anything,
  auth,
  bare,
  create,
  type Draft,
  hexOf,
  type MultiItem,
  multi,
  OPEN_ACL,
  type Path,
  pathAndNumber,
  pathOnly,
  read,
  reconfig,
  setAcl,
  setData,
  setWatches,
} from './requests.ts';
import type { Connect, Step } from './script.ts';
import { OP } from './wire.ts';

export const SLOT_COUNT = 4;

/** Bursts work below this path only: see `burst`. */
const BURST_ROOT = '/p';

const NAMES = ['a', 'b', 'c', 'd'];

const QUOTA_PATHS = ['a', 'b', 'a/b', 'c/d'];

const LIMITS = [
  'count=5,bytes=-1',
  'count=-1,bytes=100',
  'count=3,bytes=5',
  'count=-1,bytes=-1=;byteHardLimit=50;countHardLimit=3',
  'count=-1,bytes=-1=;countHardLimit=4',
  'count=-1,bytes=-1=;countHardLimit=1',
  'count=-1,bytes=-1=;byteHardLimit=300',
  'count=1,bytes=1=;byteHardLimit=90;countHardLimit=9',
  'count=2,bytes=2=;byteHardLimit=2000',
  'countHardLimit=6',
  'count=5,,bytes=3',
  'other=1;countHardLimit=2,bytes=9=x',
  'count=-1,bytes=-1',
  '',
];

const STATS = [
  'count=0,bytes=0',
  '',
  'count=1,bytes=7=;countHardLimit=9',
  'count=-5,bytes=-5',
  'bytes=4',
  'other=3',
];

/** Paths that no znode has: for every op, since reads take them too. */
const ODD_PATHS: readonly Path[] = [
  null,
  '',
  'a',
  'a/b',
  '//a',
  '/a/',
  '/a//b',
  '/a/./b',
  '/a/../b',
  '/.',
  '/..',
  '/...',
  '/a/.',
  '/a/..',
  '/.a',
  '/a\u0000',
  '/a\u0000b/c',
  '/a\u0001b',
  '/a\u001fb',
  '/a b',
  '/\u007f',
  '/\u009f',
  '/\u00a0',
  '/é',
  '/日本',
  '/\ud7ff',
  '/\ue000',
  '/\uf8ff',
  '/\uf900',
  '/\uffef',
  '/\ufff0',
  '/\uffff',
  '/😀',
  '/a/😀/b',
  { hex: '2fff' },
  { hex: '2fc0af' },
  { hex: '2feda080' },
  { hex: '2fe282' },
  { hex: '2fe28261' },
  { hex: '2ff0908080' },
  { hex: '2ff4908080' },
  { hex: '2ff888808080' },
  { hex: '2fc3a9' },
  { hex: '2fe18080c3' },
  { hex: '2f61ffff2f62' },
];

const USERS = ['alice:one', 'bob:two', 'carol:three'];

const TTLS = [
  '1',
  '1000000',
  '1099511627775',
  '1099511627776',
  '0',
  '-1',
  '-2',
  '-9223372036854775808',
  '9223372036854775807',
  '100000',
];

export class Generator {
  private readonly random: Random;
  private readonly known: string[] = [];
  private readonly xids = Array.from({ length: SLOT_COUNT }, () => 0);
  /** Paths of recent watches, by slot. */
  private readonly watched: Path[][] = Array.from({ length: SLOT_COUNT }, () => []);
  /** The slot of the step that is being made. */
  private slot = 0;
  /** The rest of a group of steps that belong together. */
  private queue: Step[] = [];
  /** The run's last zxid, relative. */
  lastZxid = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  /** Called when the reference has created `path`: later requests may use it. */
  created(path: string): void {
    if (this.known.includes(path) || path.startsWith(BURST_ROOT)) return;
    if (this.known.length < 80) this.known.push(path);
    else this.known[this.random.below(80)] = path;
  }

  private deleted(path: string): void {
    const index = this.known.indexOf(path);
    if (index >= 0 && this.random.oneIn(2)) this.known.splice(index, 1);
  }

  next(): Step {
    const queued = this.queue.shift();
    if (queued !== undefined) return queued;
    const slot = this.random.below(SLOT_COUNT);
    this.slot = slot;
    const make = this.random.weighted<() => Step>([
      [600, () => this.request(slot, this.anyRequest())],
      [40, () => this.burst(slot)],
      [30, () => this.request(slot, this.auth())],
      [25, () => this.connect(slot)],
      [8, () => ({ kind: 'drop', slot })],
      [8, () => this.request(slot, bare(OP.closeSession))],
      [6, () => this.garbage(slot)],
      [6, () => this.request(slot, this.strange())],
      [1, () => this.largest(slot)],
      [14, () => this.quotaScenario(slot)],
    ]);
    return make();
  }

  private anyRequest(): Draft {
    const { random } = this;
    const make = random.weighted<() => Draft>([
      [160, () => this.create()],
      [70, () => this.delete()],
      [70, () => this.setData()],
      [30, () => this.setAcl()],
      [50, () => this.read(OP.exists)],
      [60, () => this.read(OP.getData)],
      [30, () => this.read(OP.getChildren)],
      [40, () => this.read(OP.getChildren2)],
      [25, () => pathOnly(OP.getACL, this.path())],
      [10, () => pathOnly(OP.sync, this.path())],
      [
        10,
        () =>
          pathOnly(
            OP.getEphemerals,
            random.oneIn(2) ? this.path() : random.pick(['', ' ', '/', ' / ', '/a', 'a', null]),
          ),
      ],
      [15, () => pathOnly(OP.getAllChildrenNumber, this.textPath())],
      [70, () => this.multi()],
      [20, () => this.multiRead()],
      [20, () => this.addWatch()],
      [20, () => pathAndNumber(OP.checkWatches, this.watchedPath(), this.watcherType())],
      [20, () => pathAndNumber(OP.removeWatches, this.watchedPath(), this.watcherType())],
      [15, () => this.setWatches()],
      [8, () => bare(OP.whoAmI)],
      [8, () => bare(OP.ping)],
      [
        4,
        () =>
          reconfig(
            random.pick([null, 'server.1=h:1:2;3', 'x']),
            random.pick([null, '1']),
            random.pick([null, 'server.1=h:1:2;3']),
          ),
      ],
    ]);
    const draft = make();
    return random.oneIn(40) ? this.damaged(draft) : draft;
  }

  private create(): Draft {
    const { random } = this;
    const path = this.newPath();
    const data = this.data(path);
    const acl = this.acl();
    const op = random.weighted([
      [8, OP.create],
      [8, OP.create2],
      [2, OP.createContainer],
      [3, OP.createTTL],
    ]);
    if (op === OP.createTTL) {
      const flags = random.weighted([
        [6, 5],
        [6, 6],
        [1, 0],
        [1, 1],
        [1, 4],
        [1, 7],
        [1, -1],
      ]);
      let ttl = random.pick(TTLS);
      // A plain flag with a negative ttl ends Apache's process.
      if (flags >= 0 && flags < 5 && ttl.startsWith('-')) ttl = '5';
      return create(op, path, { data, acl, flags, ttl });
    }
    // With another flag than 4 Apache creates a container and predicts its digest wrongly, and the reverse.
    const flags =
      op === OP.createContainer
        ? random.weighted([
            [30, 4],
            [1, 0],
            [1, 7],
          ])
        : random.weighted([
            [10, 0],
            [6, 1],
            [6, 2],
            [6, 3],
            [1, 4],
            [1, 5],
            [1, 6],
            [1, 7],
            [1, -1],
            [1, 100],
          ]);
    return create(op, path, { data, acl, flags });
  }

  private delete(): Draft {
    const { random } = this;
    const path = random.oneIn(10)
      ? random.pick(['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'])
      : this.path();
    if (typeof path === 'string') this.deleted(path);
    return pathAndNumber(OP.delete, path, this.version());
  }

  private setData(): Draft {
    const path = this.path();
    return setData(path, this.data(path), this.version());
  }

  private read(op: number): Draft {
    const path = this.path();
    const watch = path === null || path === '' ? 0 : this.watch();
    if (watch !== 0) this.sawWatch(path);
    if (watch !== 0 && this.random.oneIn(5)) {
      const check = this.random.oneIn(2) ? OP.checkWatches : OP.removeWatches;
      this.queue.push(
        this.request(this.slot, pathAndNumber(check, this.watchedPath(), this.watcherType())),
      );
    }
    return read(op, path, watch);
  }

  private addWatch(): Draft {
    const path = this.watchablePath();
    this.sawWatch(path);
    // Asked about at once, before anything fires it.
    if (this.random.oneIn(3)) {
      const op = this.random.pick([OP.checkWatches, OP.removeWatches]);
      this.queue.push(
        this.request(this.slot, pathAndNumber(op, this.watchedPath(), this.watcherType())),
      );
    }
    return pathAndNumber(
      OP.addWatch,
      path,
      this.random.weighted([
        [4, 0],
        [6, 1],
        [1, 2],
        [1, -1],
      ]),
    );
  }

  private sawWatch(path: Path): void {
    const watched = this.watched[this.slot] as Path[];
    watched.push(path);
    if (watched.length > 8) watched.shift();
  }

  private watchedPath(): Path {
    const watched = this.watched[this.slot] as Path[];
    const isKnown = watched.length > 0 && !this.random.oneIn(4);
    return isKnown ? this.random.pick(watched) : this.watchablePath();
  }

  private setAcl(): Draft {
    const path = this.path();
    // A closed root would end the run for all but the super user.
    return setAcl(path, path === '/' ? OPEN_ACL : this.acl(), this.version());
  }

  private multi(): Draft {
    const { random } = this;
    const count = random.weighted([
      [1, 0],
      [4, 1],
      [8, 2],
      [6, 3],
      [3, 5],
    ]);
    const items: MultiItem[] = [];
    for (let i = 0; i < count; i++) {
      const make = random.weighted<() => Draft>([
        [40, () => this.create()],
        [20, () => this.delete()],
        [20, () => this.setData()],
        [20, () => pathAndNumber(OP.check, this.path(), this.version())],
        [1, () => read(OP.getData, this.path())],
        [1, () => anything(random.pick([0, 3, 7, 9, 11, 16, 20, 22, 99, -1]), '')],
      ]);
      items.push({
        draft: make(),
        ...(random.oneIn(80) ? { done: random.pick([1, 2, 255]) } : {}),
        ...(random.oneIn(40) ? { err: random.pick([0, 5, -101]) } : {}),
      });
    }
    return multi(random.oneIn(60) ? OP.multiRead : OP.multi, items, !random.oneIn(60));
  }

  private multiRead(): Draft {
    const { random } = this;
    const items: MultiItem[] = [];
    for (let i = random.below(5); i > 0; i--) {
      const op = random.weighted([
        [10, OP.getData],
        [10, OP.getChildren],
        [1, OP.exists],
        [1, OP.getChildren2],
      ]);
      items.push({ draft: read(op, this.path(), this.watch()) });
    }
    return multi(random.oneIn(40) ? OP.multi : OP.multiRead, items, !random.oneIn(60));
  }

  private setWatches(): Draft {
    const { random } = this;
    const isSecond = random.oneIn(2);
    const lists = Array.from({ length: isSecond ? 5 : 3 }, () =>
      Array.from({ length: random.below(4) }, () => this.watchablePath()),
    );
    const since = random.weighted([
      [2, 0],
      [6, this.lastZxid - random.below(200)],
      [2, this.lastZxid],
      [1, 1_000_000],
    ]);
    return setWatches(isSecond ? OP.setWatches2 : OP.setWatches, since, lists);
  }

  private auth(): Draft {
    const { random } = this;
    return random.weighted<() => Draft>([
      [30, () => auth('digest', random.pick(USERS))],
      [6, () => auth('digest', SUPER_USER)],
      [2, () => auth('digest', 'blah')],
      [1, () => auth('digest', '')],
      [1, () => auth('digest', ':')],
      [1, () => auth('digest', 'dé:日😀')],
      [1, () => auth('digest', null)],
      [2, () => auth('ip', '')],
      [1, () => auth('ip', null)],
      [1, () => auth('world', 'anyone')],
      [1, () => auth('nothing', 'x')],
      [1, () => auth(null, 'x')],
      [1, () => auth('super', '')],
      [1, () => auth('auth', '')],
      [1, () => ({ ...auth('digest', 'alice:one'), cut: random.below(20) })],
    ])();
  }

  /** Several requests in one write. */
  private burst(slot: number): Step {
    const { random } = this;
    // Kept out of bursts, because Apache's first stage reads the tree while its last one still changes it:
    // quotas, and the ACL of a znode whose setACL is under way. A subtree of its own has neither.
    const path = (): string => {
      const names = Array.from({ length: random.below(3) }, () => `/${random.pick(NAMES)}`).join(
        '',
      );
      return (
        BURST_ROOT +
        names +
        (random.oneIn(8) ? `/s${String(random.below(30)).padStart(10, '0')}` : '')
      );
    };
    const requests = Array.from({ length: 2 + random.below(random.oneIn(10) ? 60 : 12) }, () => {
      const data = random.oneIn(6) ? null : random.bytes(random.below(20)).toString('hex');
      const draft = random.weighted<() => Draft>([
        [
          30,
          () =>
            create(random.pick([OP.create, OP.create2]), path(), {
              data,
              flags: random.pick([0, 0, 0, 1, 2, 3]),
            }),
        ],
        [4, () => create(OP.createContainer, path(), { data, flags: 4 })],
        [14, () => pathAndNumber(OP.delete, path(), this.version())],
        [20, () => setData(path(), data, this.version())],
        [10, () => read(OP.getData, path(), this.watch())],
        [10, () => read(OP.exists, path(), this.watch())],
        [10, () => read(OP.getChildren2, path(), this.watch())],
        [2, () => pathAndNumber(OP.addWatch, path(), random.below(2))],
        [2, () => pathAndNumber(OP.removeWatches, path(), this.watcherType())],
        [3, () => setAcl(path(), OPEN_ACL, random.oneIn(3) ? random.below(4) : -1)],
        [3, () => pathOnly(OP.sync, path())],
        [3, () => bare(OP.ping)],
        [3, () => bare(OP.whoAmI)],
        [
          6,
          () =>
            multi(OP.multi, [
              { draft: create(OP.create, path(), { data, flags: random.pick([0, 1, 2]) }) },
              {
                draft: random.oneIn(2)
                  ? setData(path(), data, this.version())
                  : pathAndNumber(OP.delete, path(), -1),
              },
            ]),
        ],
      ])();
      return { ...draft, xid: this.xid(slot) };
    });
    if (random.oneIn(12)) requests.push({ ...bare(OP.closeSession), xid: this.xid(slot) });
    return { kind: 'burst', slot, requests };
  }

  private connect(slot: number): Step {
    const { random } = this;
    const session = random.weighted<Connect['session']>([
      [6, 'new'],
      [8, 'own'],
      [1, 'unknown'],
      [4, random.below(SLOT_COUNT)],
    ]);
    const password = random.weighted<Connect['password']>([
      [10, 'right'],
      [2, 'wrong'],
      [1, 'empty'],
      [1, 'null'],
    ]);
    const connect: Connect = {
      session,
      // A wrong password cuts off the session's owner with Apache, and nobody with zebu.
      password: session === 'new' || session === 'unknown' ? password : 'right',
      timeoutMs: random.pick([
        0,
        -1,
        1,
        4000,
        MIN_SESSION_TIMEOUT_MS,
        700_000,
        700_001,
        MAX_SESSION_TIMEOUT_MS,
        MAX_SESSION_TIMEOUT_MS + 1,
        2_147_483_647,
        -2_147_483_648,
      ]),
      lastZxid: random.weighted<Connect['lastZxid']>([
        [4, 'none'],
        [4, this.lastZxid],
        [1, this.lastZxid + 1_000_000],
      ]),
    };
    const readOnly = random.weighted<0 | 1 | undefined>([
      [6, 0],
      [2, 1],
      [2, undefined],
    ]);
    return {
      kind: 'connect',
      slot,
      connect: readOnly === undefined ? connect : { ...connect, readOnly },
    };
  }

  /** Frames without a request in them. */
  private garbage(slot: number): Step {
    const { random } = this;
    const length = Buffer.alloc(4);
    const [text, value, rest] = random.pick<[string, number, number]>([
      ['a negative length', -1, 0],
      ['a length over jute.maxbuffer', 1_048_576, 0],
      ['the largest length', 2_147_483_647, 0],
      ['a frame of 0 bytes', 0, 0],
      ['a frame of 4 bytes', 4, 4],
      ['a frame of 7 bytes', 7, 7],
    ]);
    length.writeInt32BE(value);
    const bytes = Buffer.concat([length, random.bytes(rest)]).toString('hex');
    return { kind: 'garbage', slot, bytes, text };
  }

  /** Data that fills a frame to jute.maxbuffer, or misses that by a byte. */
  private largest(slot: number): Step {
    const { random } = this;
    const path = this.poolPath();
    // xid, opcode, the path with its length, the data's length and the version.
    const room = 0xfffff - 8 - 4 - Buffer.byteLength(path) - 4 - 4;
    const length = room - random.below(2);
    this.queue.push(this.request(slot, read(OP.getData, path)));
    this.queue.push(this.request(slot, setData(path, '00')));
    return this.request(slot, {
      op: OP.setData,
      body: [{ s: path }, { fill: random.below(256), length }, { i: -1 }],
      text: `${JSON.stringify(path)} data of ${length} bytes`,
    });
  }

  /** Opcodes that a client must not send. */
  private strange(): Draft {
    const { random } = this;
    return random.weighted<() => Draft>([
      [
        4,
        () =>
          anything(
            random.pick([0, 10, 23, 50, 99, 108, 1000, -1, -12, 2_147_483_647]),
            random.bytes(random.below(12)).toString('hex'),
          ),
      ],
      [2, () => pathAndNumber(OP.check, this.path(), -1)],
      [
        2,
        () =>
          anything(OP.sasl, random.pick(['00000000', '0000000161', 'ffffffff', '00000005', ''])),
      ],
    ])();
  }

  /** Three steps that put a quota somewhere, or take it away. */
  private quotaScenario(slot: number): Step {
    const { random } = this;
    const path = random.pick(QUOTA_PATHS);
    const steps: Step[] = [];
    let at = '/zookeeper/quota';
    for (const name of path.split('/')) {
      at += `/${name}`;
      steps.push(this.request(slot, create(OP.create, at)));
    }
    const limits = hexOf(random.pick(LIMITS));
    const stats = hexOf(random.pick(STATS));
    if (random.oneIn(4)) {
      steps.length = 0;
      steps.push(this.request(slot, pathAndNumber(OP.delete, `${at}/zookeeper_limits`, -1)));
      if (random.oneIn(2))
        steps.push(this.request(slot, pathAndNumber(OP.delete, `${at}/zookeeper_stats`, -1)));
    } else {
      steps.push(this.request(slot, create(OP.create, `${at}/zookeeper_limits`, { data: limits })));
      steps.push(this.request(slot, create(OP.create, `${at}/zookeeper_stats`, { data: stats })));
      steps.push(this.request(slot, setData(`${at}/zookeeper_limits`, limits)));
      steps.push(this.request(slot, read(OP.getData, `${at}/zookeeper_stats`)));
    }
    // Znodes to count, so that limits are reached.
    if (random.oneIn(2)) {
      for (const step of path.split('/').keys()) {
        const parent = `/${path
          .split('/')
          .slice(0, step + 1)
          .join('/')}`;
        steps.push(this.request(slot, create(OP.create, parent)));
      }
      for (let i = 1 + random.below(5); i > 0; i--) {
        const data = Buffer.alloc(random.below(120), i).toString('hex');
        steps.push(this.request(slot, create(OP.create2, `/${path}/q`, { data, flags: 2 })));
      }
      steps.push(
        this.request(slot, setData(`/${path}`, Buffer.alloc(random.below(400)).toString('hex'))),
      );
    }
    const [first, ...others] = steps;
    this.queue.push(...others);
    return first as Step;
  }

  /** The same request with something wrong about its bytes. */
  private damaged(draft: Draft): Draft {
    const { random } = this;
    if (random.oneIn(3))
      return { ...draft, extra: random.bytes(1 + random.below(9)).toString('hex') };
    return { ...draft, cut: random.below(Math.min(30, 1 + draft.body.length * 5)) };
  }

  private request(slot: number, draft: Draft): Step {
    return { kind: 'request', slot, request: { ...draft, xid: this.xid(slot, draft.op) } };
  }

  private xid(slot: number, op?: number): number {
    const { random } = this;
    if (op === OP.ping) return random.oneIn(5) ? 77 : -2;
    if (op === OP.auth) return random.oneIn(5) ? 78 : -4;
    if (op === OP.setWatches || op === OP.setWatches2) return random.oneIn(5) ? 79 : -8;
    // -1 is left out: its reply would look like an event.
    if (random.oneIn(100)) return random.pick([0, -2, -3, -4, -8, 2_147_483_647, -2_147_483_648]);
    const next = (this.xids[slot] ?? 0) + 1;
    this.xids[slot] = next;
    return next;
  }

  private path(): Path {
    const { random } = this;
    if (this.known.length > 0 && random.below(100) < 55) return random.pick(this.known);
    return random.weighted<() => Path>([
      [60, () => this.poolPath()],
      [6, () => '/'],
      [4, () => random.pick(['/zookeeper', '/zookeeper/quota', '/zookeeper/config'])],
      [
        6,
        () =>
          `/zookeeper/quota/${random.pick(QUOTA_PATHS)}/${random.pick(['zookeeper_limits', QUOTA_STATS_NODE])}`,
      ],
      [6, () => random.pick(ODD_PATHS)],
      [6, () => `${this.poolPath()}s${String(random.below(12)).padStart(10, '0')}`],
    ])();
  }

  /** A path where null means something of its own (`KNOWN_DIFFERENCES`). */
  private watchablePath(): Path {
    return this.path() ?? '/a';
  }

  /** A path where null and the empty path mean something of their own (`KNOWN_DIFFERENCES`). */
  private textPath(): Path {
    return this.path() || '/a';
  }

  /** A path for a create: mostly a child of something. */
  private newPath(): Path {
    const { random } = this;
    if (this.known.length > 0 && random.below(100) < 35)
      return `${random.pick(this.known)}/${random.pick(NAMES)}`;
    return this.path();
  }

  private poolPath(): string {
    const { random } = this;
    const depth = random.weighted([
      [6, 1],
      [6, 2],
      [3, 3],
      [1, 4],
    ]);
    return Array.from({ length: depth }, () => `/${random.pick(NAMES)}`).join('');
  }

  private data(path: Path): string | null {
    const { random } = this;
    const text = typeof path === 'string' ? path : '';
    // Apache's process ends when it counts into a stats znode that it cannot parse, and it refuses every
    // create below limits that it cannot.
    if (text.endsWith(QUOTA_STATS_NODE)) return hexOf(random.pick(STATS));
    if (text.endsWith('zookeeper_limits')) return hexOf(random.pick(LIMITS));
    return random.weighted<() => string | null>([
      [2, () => null],
      [2, () => ''],
      [10, () => random.bytes(1 + random.below(12)).toString('hex')],
      [3, () => random.bytes(random.below(200)).toString('hex')],
      [1, () => Buffer.alloc(random.below(9000), random.below(256)).toString('hex')],
    ])();
  }

  private acl(): AclList {
    const { random } = this;
    const ids = USERS.map(digestId);
    const entry = (): { perms: number; scheme: string | null; id: string | null } => {
      const perms = random.weighted([
        [8, 31],
        [3, 1],
        [3, random.below(32)],
        [1, 0],
        [1, 255],
        [1, -1],
        [1, 16],
      ]);
      const [scheme, id] = random.weighted<[string | null, string | null]>([
        [4, ['world', 'anyone']],
        [8, ['digest', random.pick(ids)]],
        [5, ['auth', random.pick(['', 'x'])]],
        [2, ['ip', '127.0.0.1']],
        [
          2,
          [
            'ip',
            random.pick([
              '127.0.0.0/8',
              '10.0.0.0/8',
              '10.1.2.3',
              '127.0.0.1/32',
              '0.0.0.0/0',
              '127.0.0.1/0',
            ]),
          ],
        ],
        [
          1,
          [
            'ip',
            random.pick([
              '::1',
              'fe80::/10',
              '::/0',
              '::ffff:127.0.0.1',
              '127.0.0.1/33',
              '127.0.0.1/-1',
              '1.2.3',
              '1.2.3.256',
              'localhost',
              '',
              '1.2.3.4/',
              '1.2.3.4/x',
              '::1/129',
              '2001:db8::1/64',
            ]),
          ],
        ],
        [1, ['digest', random.pick(['alice', 'a:b:c', '', ':', 'alice:', ':x', 'é:日'])]],
        [1, ['world', random.pick(['someone', ''])]],
        [1, [random.pick(['nothing', '', 'super', 'sasl', 'x509']), 'x']],
      ]);
      return { perms, scheme, id };
    };
    return random.weighted<() => AclList>([
      [34, () => OPEN_ACL],
      [26, () => [entry()]],
      [10, () => Array.from({ length: 1 + random.below(4) }, entry)],
      [
        2,
        () => {
          const one = entry();
          return [one, one, entry(), one];
        },
      ],
      [1, () => []],
      [1, () => ({ count: random.pick([-1, -2, 0]) })],
      [
        1,
        () => [
          random.pick([
            { perms: 31, scheme: null, id: 'x' },
            { perms: 31, scheme: 'world', id: null },
            { perms: 31, scheme: 'digest', id: null },
            { perms: 31, scheme: 'ip', id: null },
            { perms: 31, scheme: 'auth', id: null },
            { perms: 31, scheme: 'nothing', id: null },
          ]),
        ],
      ],
    ])();
  }

  private version(): number {
    return this.random.weighted([
      [20, -1],
      [8, 0],
      [4, 1],
      [2, 2],
      [1, 3],
      [1, -2],
      [1, 2_147_483_647],
      [1, -2_147_483_648],
    ]);
  }

  private watch(): number {
    return this.random.weighted([
      [5, 0],
      [5, 1],
      [1, 2],
    ]);
  }

  private watcherType(): number {
    return this.random.weighted([
      [4, 1],
      [4, 2],
      [4, 3],
      [4, 4],
      [4, 5],
      [1, 0],
      [1, 6],
      [1, -1],
    ]);
  }
}
