// The jute encoding and the frames, written once more for the tests: the differential test must not share
// a codec with the server it judges, or both would be wrong alike.

/** Appends jute values to a growing byte array. */
export class WireWriter {
  private bytes = Buffer.alloc(256);
  private length = 0;

  byte(value: number): this {
    this.reserve(1);
    this.bytes[this.length++] = value;
    return this;
  }

  int(value: number): this {
    this.reserve(4);
    this.length = this.bytes.writeInt32BE(value, this.length);
    return this;
  }

  long(value: bigint): this {
    this.reserve(8);
    this.length = this.bytes.writeBigInt64BE(BigInt.asIntN(64, value), this.length);
    return this;
  }

  buffer(value: Uint8Array | null): this {
    return value === null ? this.int(-1) : this.int(value.length).raw(value);
  }

  string(value: string | null): this {
    return this.buffer(value === null ? null : Buffer.from(value, 'utf8'));
  }

  raw(value: Uint8Array): this {
    this.reserve(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
    return this;
  }

  /** A copy of what was written. */
  done(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.length));
  }

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const larger = Buffer.alloc(Math.max(this.bytes.length * 2, this.length + count));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}

/** Reads jute values; throws RangeError past the end or at an impossible length. */
export class WireReader {
  readonly bytes: Buffer;
  offset: number;
  readonly end: number;

  constructor(bytes: Buffer, offset = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  byte(): number {
    return this.bytes.readUInt8(this.take(1));
  }

  int(): number {
    return this.bytes.readInt32BE(this.take(4));
  }

  long(): bigint {
    return this.bytes.readBigInt64BE(this.take(8));
  }

  /** The bytes of a buffer or ustring, null for length -1. A view. */
  buffer(): Buffer | null {
    const length = this.int();
    if (length === -1) return null;
    if (length < 0) throw new RangeError(`Buffer of length ${length}`);
    const start = this.take(length);
    return this.bytes.subarray(start, start + length);
  }

  string(): string | null {
    return this.buffer()?.toString('utf8') ?? null;
  }

  rest(): Buffer {
    const start = this.take(this.remaining);
    return this.bytes.subarray(start, this.end);
  }

  private take(count: number): number {
    const start = this.offset;
    if (count > this.end - start) {
      throw new RangeError(`${count} bytes wanted, ${this.end - start} left`);
    }
    this.offset = start + count;
    return start;
  }
}

/** `payload` after its length. */
export function frame(payload: Uint8Array): Buffer {
  const framed = Buffer.alloc(4 + payload.length);
  framed.writeInt32BE(payload.length, 0);
  framed.set(payload, 4);
  return framed;
}

/** Opcodes a client may send, by number: the names in scripts and reports. */
export const OP = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getACL: 6,
  setACL: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  deleteContainer: 20,
  createTTL: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  createSession: -10,
  closeSession: -11,
} as const;

const OP_NAMES = new Map<number, string>(Object.entries(OP).map(([name, code]) => [code, name]));

/** `create`, or `op99` for a number without a name. */
export function opName(op: number): string {
  return OP_NAMES.get(op) ?? `op${op}`;
}

/** Error codes by number. */
export const ERROR_NAMES: ReadonlyMap<number, string> = new Map([
  [0, 'OK'],
  [-1, 'SYSTEMERROR'],
  [-2, 'RUNTIMEINCONSISTENCY'],
  [-3, 'DATAINCONSISTENCY'],
  [-4, 'CONNECTIONLOSS'],
  [-5, 'MARSHALLINGERROR'],
  [-6, 'UNIMPLEMENTED'],
  [-7, 'OPERATIONTIMEOUT'],
  [-8, 'BADARGUMENTS'],
  [-100, 'APIERROR'],
  [-101, 'NONODE'],
  [-102, 'NOAUTH'],
  [-103, 'BADVERSION'],
  [-108, 'NOCHILDRENFOREPHEMERALS'],
  [-110, 'NODEEXISTS'],
  [-111, 'NOTEMPTY'],
  [-112, 'SESSIONEXPIRED'],
  [-114, 'INVALIDACL'],
  [-115, 'AUTHFAILED'],
  [-118, 'SESSIONMOVED'],
  [-119, 'NOTREADONLY'],
  [-120, 'EPHEMERALONLOCALSESSION'],
  [-121, 'NOWATCHER'],
  [-123, 'RECONFIGDISABLED'],
  [-124, 'SESSIONCLOSEDREQUIRESASLAUTH'],
  [-125, 'QUOTAEXCEEDED'],
  [-127, 'THROTTLEDOP'],
]);
