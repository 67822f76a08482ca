// What the clients of a simulation ask for: few paths, so that they meet; every kind of write; reads
// that set watches; requests that must fail. All of it is drawn before the run, each request from a generator
// of its own, so that one can be left out without changing the others.

import {
  type Acl,
  AddWatchMode,
  CreateFlag,
  type MultiRequestOp,
  OPEN_ACL_UNSAFE,
  OpCode,
  Perms,
} from '@zebu/protocol';
import type { Prng } from './prng.ts';
import type { Ask } from './wire.ts';

export type Request = Omit<Ask, 'xid'>;

const TOP = ['/a', '/b', '/c', '/d'];
const BELOW = ['x', 'y', 'z'];
const NO_READ: readonly Acl[] = [{ perms: Perms.ALL & ~Perms.READ, scheme: 'world', id: 'anyone' }];
const NO_WRITE: readonly Acl[] = [
  { perms: Perms.ALL & ~Perms.WRITE, scheme: 'world', id: 'anyone' },
];

const NOTHING: Request = {
  type: OpCode.ping,
  path: '',
  data: null,
  acl: OPEN_ACL_UNSAFE,
  number: 0,
  ttlMs: 0,
  watch: false,
  parts: [],
  watches: undefined,
};

export interface WorkloadOptions {
  readonly prng: Prng;
  /** Requests in all, of all clients. */
  readonly requests: number;
  /** Share of the requests that only read. */
  readonly reads: number;
  /** Longest data of a znode, bytes. */
  readonly dataBytes: number;
  /** Chance that a request is a closeSession. */
  readonly closes: number;
}

export class Workload {
  /** Requests still to be made; may be lowered. */
  left: number;
  private readonly requests: readonly Request[];
  private made: number;

  constructor(requests: readonly Request[]) {
    this.requests = requests;
    this.left = requests.length;
    this.made = 0;
  }

  /** The next request, for any client; undefined when all have been made. */
  next(): Request | undefined {
    if (this.left <= 0) return undefined;
    this.left--;
    return this.requests[this.made++];
  }
}

export function drawRequests(options: WorkloadOptions): Request[] {
  return Array.from({ length: options.requests }, (_, index) =>
    new RequestDraw(options, options.prng.fork(`request ${index}`), index + 1).next(),
  );
}

/** Draws one request. */
class RequestDraw {
  private readonly options: WorkloadOptions;
  private readonly prng: Prng;
  private readonly number: number;

  constructor(options: WorkloadOptions, prng: Prng, number: number) {
    this.options = options;
    this.prng = prng;
    this.number = number;
  }

  next(): Request {
    const { prng, options } = this;
    if (prng.chance(options.closes)) return { ...NOTHING, type: OpCode.closeSession };
    return prng.chance(options.reads) ? this.read() : this.write();
  }

  private read(): Request {
    const { prng } = this;
    const path = this.path();
    const watch = prng.chance(0.6);
    switch (prng.below(8)) {
      case 0:
      case 1:
        return { ...NOTHING, type: OpCode.exists, path, watch };
      case 2:
      case 3:
        return { ...NOTHING, type: OpCode.getData, path, watch };
      case 4:
        return { ...NOTHING, type: OpCode.getChildren2, path: this.parent(), watch };
      case 5:
        return { ...NOTHING, type: OpCode.getACL, path };
      case 6:
        return { ...NOTHING, type: OpCode.sync, path };
      default:
        return prng.chance(0.5)
          ? { ...NOTHING, type: OpCode.addWatch, path, number: AddWatchMode.persistent }
          : {
              ...NOTHING,
              type: OpCode.addWatch,
              path: this.parent(),
              number: AddWatchMode.persistentRecursive,
            };
    }
  }

  private write(): Request {
    const { prng } = this;
    switch (prng.below(12)) {
      case 0:
      case 1:
      case 2:
        return this.create();
      case 3:
        return { ...this.create(), number: CreateFlag.ephemeral };
      case 4: {
        const number = prng.chance(0.5)
          ? CreateFlag.persistentSequential
          : CreateFlag.ephemeralSequential;
        return { ...this.create(), path: `${this.parent()}/n-`.replace('//', '/'), number };
      }
      case 5:
        return prng.chance(0.6)
          ? { ...this.create(), type: OpCode.createContainer, number: CreateFlag.container }
          : {
              ...this.create(),
              type: OpCode.createTTL,
              number: CreateFlag.persistentTTL,
              ttlMs: 1 + prng.below(400),
            };
      case 6:
      case 7:
        return {
          ...NOTHING,
          type: OpCode.setData,
          path: this.path(),
          data: this.data(),
          number: this.version(),
        };
      case 8:
        return { ...NOTHING, type: OpCode.delete, path: this.path(), number: this.version() };
      case 9: {
        const acl = prng.pick([OPEN_ACL_UNSAFE, OPEN_ACL_UNSAFE, NO_READ, NO_WRITE]);
        return { ...NOTHING, type: OpCode.setACL, path: this.path(), acl, number: this.version() };
      }
      default:
        return this.multi();
    }
  }

  private create(): Request {
    const type = this.prng.chance(0.5) ? OpCode.create : OpCode.create2;
    return { ...NOTHING, type, path: this.path(), data: this.data(), number: 0 };
  }

  private multi(): Request {
    const { prng } = this;
    const parts: MultiRequestOp[] = [];
    for (let count = 1 + prng.below(4); count > 0; count--) {
      const path = this.path();
      switch (prng.below(5)) {
        case 0:
        case 1: {
          const flags = prng.pick([0, 0, 0, CreateFlag.ephemeral, CreateFlag.persistentSequential]);
          const acl = OPEN_ACL_UNSAFE;
          parts.push({
            type: prng.chance(0.5) ? OpCode.create : OpCode.create2,
            request: { path, data: this.data(), acl, flags },
          });
          break;
        }
        case 2:
          parts.push({
            type: OpCode.setData,
            request: { path, data: this.data(), version: this.version() },
          });
          break;
        case 3:
          parts.push({ type: OpCode.delete, request: { path, version: -1 } });
          break;
        default:
          parts.push({ type: OpCode.check, request: { path, version: this.version() } });
      }
    }
    return { ...NOTHING, type: OpCode.multi, parts };
  }

  private path(): string {
    const { prng } = this;
    const top = prng.pick(TOP);
    return prng.chance(0.4) ? top : `${top}/${prng.pick(BELOW)}`;
  }

  private parent(): string {
    return this.prng.chance(0.25) ? '/' : this.prng.pick(TOP);
  }

  /** Says of which request it is; some have null or no data. */
  private data(): Buffer | null {
    const { prng, options } = this;
    if (prng.chance(0.05)) return null;
    if (prng.chance(0.05)) return Buffer.alloc(0);
    const data = Buffer.alloc(1 + prng.below(options.dataBytes), this.number & 0xff);
    data.write(`r${this.number}`, 'latin1');
    return data;
  }

  private version(): number {
    return this.prng.chance(0.75) ? -1 : this.prng.below(4);
  }
}
