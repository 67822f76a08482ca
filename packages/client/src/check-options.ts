// The options of each call, for programs that no compiler has checked: one that nobody knows, or of another type,
// is a TypeError that names it and what was meant. Left alone, `{ ephemeral: true }` would make a znode that stays.

import { isProvider } from './servers.ts';

/** What one option may hold. `undefined` always stands for the default. */
interface Rule {
  readonly allowed: string;
  readonly accepts: (value: unknown) => boolean;
}
type Rules = { readonly [option: string]: Rule };

const flag: Rule = { allowed: 'true or false', accepts: (value) => typeof value === 'boolean' };
const text: Rule = { allowed: 'a string', accepts: (value) => typeof value === 'string' };
const callback: Rule = { allowed: 'a function', accepts: (value) => typeof value === 'function' };
const object: Rule = { allowed: 'an object', accepts: isObject };
const signal: Rule = {
  allowed: 'an AbortSignal',
  accepts: (value) => value instanceof AbortSignal,
};
const time: Rule = {
  allowed: 'a number of milliseconds, 0 or more',
  accepts: (value) => typeof value === 'number' && value >= 0,
};
const count: Rule = {
  allowed: 'a whole number, 0 or more',
  accepts: (value) => Number.isInteger(value) && (value as number) >= 0,
};
const positive: Rule = {
  allowed: 'a whole number, 1 or more',
  accepts: (value) => Number.isInteger(value) && (value as number) >= 1,
};
const number: Rule = { allowed: 'a number', accepts: (value) => typeof value === 'number' };
const version: Rule = {
  allowed: 'a whole number, -1 or more',
  accepts: (value) => Number.isInteger(value) && (value as number) >= -1,
};
const configVersion: Rule = { allowed: 'a bigint', accepts: (value) => typeof value === 'bigint' };
const strings: Rule = {
  allowed: 'an array of strings',
  accepts: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
};
const servers: Rule = {
  allowed: 'a string, an array of them, or a HostProvider',
  accepts: (value) => text.accepts(value) || strings.accepts(value) || isProvider(value),
};
const acl: Rule = {
  allowed: 'an array of { perms, scheme, id }, with perms of 0..31 (see Perms)',
  accepts: (value) => Array.isArray(value) && value.every(isAcl),
};

function choice(...choices: readonly (string | boolean)[]): Rule {
  return {
    allowed: choices.map((one) => JSON.stringify(one)).join(', '),
    accepts: (value) => choices.some((one) => one === value),
  };
}

const policy: Rule = { allowed: 'a RetryPolicy (see backoff)', accepts: isPolicy };
const policyOrNone: Rule = {
  allowed: 'a RetryPolicy (see backoff), or false',
  accepts: (value) => value === false || isPolicy(value),
};

const OP: Rules = { signal, timeoutMs: time, retry: policyOrNone };
const READ: Rules = { ...OP, consistency: choice('local', 'synced') };
const WATCHED_READ: Rules = { ...READ, watch: flag };
const VERSION: Rules = { ...OP, version };
const CREATE_SETTINGS: Rules = {
  mode: {
    allowed: `"persistent", "ephemeral", "container", { ttlMs }`,
    accepts: (value) =>
      value === 'persistent' ||
      value === 'ephemeral' ||
      value === 'container' ||
      (isObject(value) && typeof (value as { ttlMs?: unknown }).ttlMs === 'number'),
  },
  sequential: flag,
  acl,
};

/** By the call's name. */
const CALLS = {
  create: {
    ...OP,
    ...CREATE_SETTINGS,
    parents: choice(false, 'persistent', 'container'),
    protected: flag,
  },
  get: WATCHED_READ,
  exists: WATCHED_READ,
  children: WATCHED_READ,
  set: VERSION,
  delete: { ...VERSION, missingOk: flag, recursive: flag },
  update: OP,
  getAcl: READ,
  setAcl: VERSION,
  multi: OP,
  bulk: { ...OP, maxOps: positive, maxBytes: positive, inFlight: positive },
  multiRead: READ,
  sync: OP,
  watch: { ...OP, recursive: flag, buffer: count },
  descendantsCount: READ,
  ephemerals: READ,
  whoAmI: OP,
  config: READ,
  reconfig: OP,
  on: { signal },
  states: { signal },
  drained: { signal },
  close: { timeoutMs: time },
  setServers: { servers },
  connect: {
    servers,
    sessionTimeoutMs: number,
    connectTimeoutMs: number,
    establishTimeoutMs: time,
    requestTimeoutMs: time,
    retry: policy,
    readOnly: flag,
    resume: {
      allowed: '{ id, password }: a bigint and 16 bytes, as detach() gives them',
      accepts: (value) => {
        const { id, password } = (isObject(value) ? value : {}) as Record<string, unknown>;
        return typeof id === 'bigint' && password instanceof Uint8Array;
      },
    },
    onExpire: choice('renew', 'close'),
    onAttempt: callback,
    sasl: {
      allowed: 'a SaslMechanism (see digestMd5)',
      accepts: (value) =>
        isObject(value) && typeof (value as { begin?: unknown }).begin === 'function',
    },
    auth: {
      allowed: 'an array of { scheme, auth }: a string, and a string or bytes',
      accepts: (value) => Array.isArray(value) && value.every(isCredential),
    },
    tls: {
      allowed: 'an object, or a function that returns one',
      accepts: (value) => isObject(value) || typeof value === 'function',
    },
    maxPacketBytes: number,
    maxReplyBytes: number,
    maxQueuedBytes: number,
    signal,
    environment: object,
  },
} as const satisfies { readonly [call: string]: Rules };

export type Call = keyof typeof CALLS;

const OPERATIONS: { readonly [op: string]: Rules } = {
  create: { op: text, path: text, data: dataRule(), options: object },
  set: { op: text, path: text, data: dataRule(), version },
  delete: { op: text, path: text, version },
  check: { op: text, path: text, version },
};

const CHANGES: Rules = {
  join: strings,
  leave: arrayOfNumbers(),
  members: strings,
  version: configVersion,
};

/** What other clients call it, and how it is said here. */
const OTHER_NAMES: { readonly [name: string]: string } = {
  ephemeral: "mode: 'ephemeral'",
  container: "mode: 'container'",
  ttl: 'mode: { ttlMs }',
  ttlms: 'mode: { ttlMs }',
  flags: 'mode and sequential',
  sequence: 'sequential',
  makepath: "parents: 'persistent'",
  createparents: "parents: 'persistent'",
  recursive: "recursive: true of delete() and watch(), parents: 'persistent' of create()",
  acls: 'acl',
  timeout: 'timeoutMs',
  abortsignal: 'signal',
  hosts: 'servers',
  connectstring: 'servers',
  connectionstring: 'servers',
  connect: 'servers',
  authinfo: 'auth',
  watcher: 'watch: true',
  sync: "consistency: 'synced'",
};

/** Throws a TypeError if the options of this call are not what it takes. */
export function checkOptions(call: Call, options: unknown): void {
  if (options !== undefined) checkFields(`${call}()`, options, CALLS[call]);
}

/** Throws a TypeError if this is nothing that a znode can hold. `isOptional`: undefined is no bytes. */
export function checkData(call: string, data: unknown, isOptional: boolean): void {
  if ((data === undefined && isOptional) || isData(data)) return;
  throw new TypeError(
    `${call}() cannot write ${nameOf(data)}: data is a string, a Uint8Array (a Buffer is one), or null`,
  );
}

/** Throws a TypeError if this is no ACL. */
export function checkAcl(call: string, value: unknown): void {
  if (!acl.accepts(value))
    throw new TypeError(`${call}(): acl is ${nameOf(value)}; allowed: ${acl.allowed}`);
}

/** Throws a TypeError if one of these is no operation of a multi. */
export function checkOperations(ops: unknown): void {
  if (!Array.isArray(ops)) throw new TypeError(`multi() takes an array, not ${nameOf(ops)}`);
  for (const [index, op] of ops.entries()) {
    const rules = isObject(op) ? OPERATIONS[String((op as { op?: unknown }).op)] : undefined;
    if (rules === undefined) {
      const names = Object.keys(OPERATIONS).join(', ');
      const found = isObject(op) ? `op ${JSON.stringify((op as { op?: unknown }).op)}` : nameOf(op);
      throw new TypeError(`multi() operation ${index} is ${found}; allowed are the ops ${names}`);
    }
    const where = `multi() operation ${index} (${op.op})`;
    checkFields(where, op, rules);
    if (op.op === 'set') checkData('multi', op.data, false);
    if (op.op === 'create' && op.options !== undefined) {
      checkFields(where, op.options, CREATE_SETTINGS);
    }
  }
}

/** Throws a TypeError if this is no change of an ensemble. */
export function checkChange(change: unknown): void {
  checkFields('reconfig()', change, CHANGES);
}

function checkFields(where: string, given: unknown, rules: Rules): void {
  if (!isObject(given)) {
    throw new TypeError(`${where} takes an object of options, not ${nameOf(given)}`);
  }
  for (const name of Object.keys(given)) {
    const value = (given as Record<string, unknown>)[name];
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) throw unknownOption(where, name, rules);
    if (value === undefined || rule.accepts(value)) continue;
    throw new TypeError(`${where}: ${name} is ${nameOf(value)}; allowed: ${rule.allowed}`);
  }
}

function unknownOption(where: string, name: string, rules: Rules): TypeError {
  const known = Object.keys(rules);
  const meant = nearest(name, known);
  const hint = meant === undefined ? `it knows ${known.join(', ')}` : `did you mean ${meant}?`;
  return new TypeError(`${where} knows no option ${JSON.stringify(name)}; ${hint}`);
}

function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = plainName(name);
  const found = known.find((one) => plainName(one) === plain || plainName(one) === `${plain}ms`);
  if (found !== undefined) return found;
  const other = Object.hasOwn(OTHER_NAMES, plain) ? OTHER_NAMES[plain] : undefined;
  // Only what this call has.
  if (other !== undefined && known.includes(/^\w+/.exec(other)?.[0] as string)) return other;
  const distances = known.map((one) => typingErrors(plain, plainName(one)));
  const least = Math.min(...distances);
  return least <= Math.min(2, Math.floor(plain.length / 3))
    ? known[distances.indexOf(least)]
    : undefined;
}

function plainName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

/** Letters that are missing, too many or wrong (Levenshtein), by rows of the usual table. */
function typingErrors(a: string, b: string): number {
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, replaced));
    }
    last = row;
  }
  return last[b.length] as number;
}

/** Never the content of bytes or of a long string: it may be a secret. */
function nameOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  switch (typeof value) {
    case 'string':
      return value.length > 40 ? `a string of ${value.length} characters` : JSON.stringify(value);
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'bigint':
      return `${value}n`;
    case 'object':
      return value instanceof Uint8Array ? 'bytes' : `an object (${constructorOf(value)})`;
    default:
      return `a ${typeof value}`;
  }
}

function constructorOf(value: object): string {
  const { name } = (value.constructor ?? {}) as { name?: unknown };
  return typeof name === 'string' && name !== '' ? name : 'Object';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPolicy(value: unknown): boolean {
  return isObject(value) && typeof (value as { next?: unknown }).next === 'function';
}

function isData(value: unknown): boolean {
  return value === null || typeof value === 'string' || value instanceof Uint8Array;
}

function isAcl(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { perms, scheme, id } = value as { perms?: unknown; scheme?: unknown; id?: unknown };
  return (
    Number.isInteger(perms) &&
    (perms as number) >= 0 &&
    (perms as number) <= 31 &&
    typeof scheme === 'string' &&
    typeof id === 'string'
  );
}

function isCredential(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { scheme, auth } = value as { scheme?: unknown; auth?: unknown };
  return typeof scheme === 'string' && (typeof auth === 'string' || auth instanceof Uint8Array);
}

function dataRule(): Rule {
  return { allowed: 'a string, a Uint8Array, or null', accepts: isData };
}

function arrayOfNumbers(): Rule {
  return {
    allowed: 'an array of server numbers',
    accepts: (value) => Array.isArray(value) && value.every((one) => Number.isInteger(one)),
  };
}
