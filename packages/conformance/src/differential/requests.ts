// Builders of requests: each gives the body field by field, and the words that a report prints.

import type { Field, Request } from './script.ts';
import { OP, opName } from './wire.ts';

export interface AclEntry {
  readonly perms: number;
  readonly scheme: string | null;
  readonly id: string | null;
}

/** An ACL vector, or a bare count without entries (null is -1). */
export type AclList = readonly AclEntry[] | { readonly count: number };

export const OPEN_ACL: AclList = [{ perms: 31, scheme: 'world', id: 'anyone' }];

/** A path as text, or as bytes in hex that need not be UTF-8. */
export type Path = string | null | { readonly hex: string };

/** Body and words of a request; the caller adds the xid. */
export type Draft = Omit<Request, 'xid'>;

export function create(
  op: number,
  path: Path,
  options: { data?: string | null; acl?: AclList; flags?: number; ttl?: string } = {},
): Draft {
  const { data = '', acl = OPEN_ACL, flags = 0, ttl } = options;
  const body: Field[] = [pathField(path), { buf: data }, ...aclFields(acl), { i: flags }];
  if (op === OP.createTTL) body.push({ l: ttl ?? '-1' });
  const ttlText = op === OP.createTTL ? ` ttl=${ttl ?? '-1'}` : '';
  return {
    op,
    body,
    text: `${pathText(path)} data=${dataText(data)} acl=${aclText(acl)} flags=${flags}${ttlText}`,
  };
}

export function setData(path: Path, data: string | null, version = -1): Draft {
  return {
    op: OP.setData,
    body: [pathField(path), { buf: data }, { i: version }],
    text: `${pathText(path)} data=${dataText(data)} version=${version}`,
  };
}

export function setAcl(path: Path, acl: AclList, version = -1): Draft {
  return {
    op: OP.setACL,
    body: [pathField(path), ...aclFields(acl), { i: version }],
    text: `${pathText(path)} acl=${aclText(acl)} version=${version}`,
  };
}

/** delete, check (inside a multi), checkWatches, removeWatches, addWatch: a path and a number. */
export function pathAndNumber(op: number, path: Path, number: number): Draft {
  return { op, body: [pathField(path), { i: number }], text: `${pathText(path)} ${number}` };
}

/** exists, getData, getChildren, getChildren2. */
export function read(op: number, path: Path, watch = 0): Draft {
  return {
    op,
    body: [pathField(path), { b: watch }],
    text: `${pathText(path)}${watch === 0 ? '' : ' watch'}`,
  };
}

/** getACL, sync, getEphemerals, getAllChildrenNumber: only a path. */
export function pathOnly(op: number, path: Path): Draft {
  return { op, body: [pathField(path)], text: pathText(path) };
}

/** ping, whoAmI, closeSession: no body. */
export function bare(op: number): Draft {
  return { op, body: [], text: '' };
}

export function auth(scheme: string | null, credentials: string | null): Draft {
  return {
    op: OP.auth,
    body: [{ i: 0 }, { s: scheme }, { buf: credentials === null ? null : hexOf(credentials) }],
    text: `${scheme} ${JSON.stringify(credentials)}`,
  };
}

export function setWatches(
  op: number,
  relativeZxid: number,
  lists: readonly (readonly Path[])[],
): Draft {
  const body: Field[] = [{ z: relativeZxid }];
  for (const list of lists) body.push({ i: list.length }, ...list.map(pathField));
  return {
    op,
    body,
    text: `since +${relativeZxid} ${lists.map((list) => `[${list.map(pathText).join(', ')}]`).join(' ')}`,
  };
}

export interface MultiItem {
  readonly draft: Draft;
  readonly done?: number;
  readonly err?: number;
}

/** multi or multiRead. `ended` false leaves the terminating header off. */
export function multi(op: number, items: readonly MultiItem[], ended = true): Draft {
  const body: Field[] = [];
  for (const { draft, done = 0, err = -1 } of items) {
    body.push({ i: draft.op }, { b: done }, { i: err }, ...draft.body);
  }
  if (ended) body.push({ i: -1 }, { b: 1 }, { i: -1 });
  const texts = items.map(
    ({ draft, done, err }) =>
      `${opName(draft.op)} ${draft.text}${done === undefined ? '' : ` done=${done}`}` +
      `${err === undefined ? '' : ` err=${err}`}`,
  );
  return { op, body, text: `[${texts.join('; ')}]${ended ? '' : ' without end'}` };
}

export function reconfig(
  joining: string | null,
  leaving: string | null,
  members: string | null,
): Draft {
  return {
    op: OP.reconfig,
    body: [{ s: joining }, { s: leaving }, { s: members }, { l: '-1' }],
    text: `joining=${joining} leaving=${leaving} members=${members}`,
  };
}

/** Any opcode with any body. */
export function anything(op: number, bodyHex: string): Draft {
  const bytes = Buffer.from(bodyHex, 'hex');
  return { op, body: Array.from(bytes, (byte) => ({ b: byte })), text: `body ${bodyHex}` };
}

export function hexOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('hex');
}

function aclFields(acl: AclList): Field[] {
  if ('count' in acl) return [{ i: acl.count }];
  return [
    { i: acl.length },
    ...acl.flatMap(({ perms, scheme, id }): Field[] => [{ i: perms }, { s: scheme }, { s: id }]),
  ];
}

function aclText(acl: AclList): string {
  if ('count' in acl) return acl.count === -1 ? 'null' : `count ${acl.count}`;
  return `[${acl.map(({ perms, scheme, id }) => `${perms} ${scheme}:${id}`).join(', ')}]`;
}

function pathField(path: Path): Field {
  return path !== null && typeof path === 'object' ? { sx: path.hex } : { s: path };
}

function pathText(path: Path): string {
  return path !== null && typeof path === 'object' ? `bytes ${path.hex}` : JSON.stringify(path);
}

function dataText(hex: string | null): string {
  if (hex === null) return 'null';
  const text = Buffer.from(hex, 'hex').toString('latin1');
  if (/^[ -~]{0,80}$/.test(text)) return JSON.stringify(text);
  return hex.length > 80 ? `${hex.slice(0, 20)}...(${hex.length / 2} bytes)` : hex;
}
