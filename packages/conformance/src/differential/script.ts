// What the test does, as plain data: a script is a list of steps, made by the generator, saved as JSON,
// replayed, shrunk and printed. Nothing in it depends on a server: zxids are relative to the start of the
// run and sessions are named by the slot (the client connection) that holds them.

import { opName, WireWriter } from './wire.ts';

/** One value of a request's body. */
export type Field =
  | { readonly i: number }
  | { readonly l: string }
  | { readonly b: number }
  /** A buffer, in hex; null is length -1. */
  | { readonly buf: string | null }
  /** A buffer of `length` bytes that are all `fill`. */
  | { readonly fill: number; readonly length: number }
  | { readonly s: string | null }
  /** A string whose bytes are given in hex: need not be UTF-8. */
  | { readonly sx: string }
  /** A zxid relative to the start of the run. */
  | { readonly z: number };

export interface Request {
  readonly op: number;
  readonly xid: number;
  readonly body: readonly Field[];
  /** The request in words. */
  readonly text: string;
  /** Bytes of the body that are kept; the rest is cut off. */
  readonly cut?: number;
  /** Bytes in hex after the body. */
  readonly extra?: string;
}

/** How a slot opens a connection. */
export interface Connect {
  /** A new session, the slot's own last one, that of another slot, or one nobody has. */
  readonly session: 'new' | 'own' | 'unknown' | number;
  readonly password: 'right' | 'wrong' | 'empty' | 'null';
  readonly timeoutMs: number;
  /** lastZxidSeen relative to the start of the run; 'none' is 0. */
  readonly lastZxid: number | 'none';
  /** The optional last byte of the connect request. */
  readonly readOnly?: 0 | 1;
}

export type Step =
  | { readonly kind: 'request'; readonly slot: number; readonly request: Request }
  /** All requests in one write, before any reply. */
  | { readonly kind: 'burst'; readonly slot: number; readonly requests: readonly Request[] }
  | { readonly kind: 'connect'; readonly slot: number; readonly connect: Connect }
  /** The client's socket is closed, its session left alone. */
  | { readonly kind: 'drop'; readonly slot: number }
  /** Bytes (hex) that no server can serve: it closes the connection. */
  | {
      readonly kind: 'garbage';
      readonly slot: number;
      readonly bytes: string;
      readonly text: string;
    };

export type Script = readonly Step[];

/** What a slot that is not connected does before a request. */
export const PLAIN_CONNECT: Connect = {
  session: 'own',
  password: 'right',
  timeoutMs: 700_000,
  lastZxid: 'none',
  readOnly: 0,
};

/** The payload of a request frame; `absoluteZxid` turns a run's zxid into this server's. */
export function encodeRequest(
  request: Request,
  absoluteZxid: (relative: number) => bigint,
): Buffer {
  const writer = new WireWriter();
  for (const field of request.body) {
    if ('i' in field) writer.int(field.i);
    else if ('l' in field) writer.long(BigInt(field.l));
    else if ('b' in field) writer.byte(field.b);
    else if ('buf' in field)
      writer.buffer(field.buf === null ? null : Buffer.from(field.buf, 'hex'));
    else if ('fill' in field) writer.buffer(Buffer.alloc(field.length, field.fill));
    else if ('s' in field) writer.string(field.s);
    else if ('sx' in field) writer.buffer(Buffer.from(field.sx, 'hex'));
    else writer.long(absoluteZxid(field.z));
  }
  let body = writer.done();
  if (request.cut !== undefined) body = body.subarray(0, request.cut);
  const header = new WireWriter().int(request.xid).int(request.op).raw(body);
  if (request.extra !== undefined) header.raw(Buffer.from(request.extra, 'hex'));
  return header.done();
}

/** A script for people, a line a step. */
export function describeScript(script: Script): string {
  return script
    .map((step, index) => `${String(index).padStart(4)}  ${describeStep(step)}`)
    .join('\n');
}

export function describeStep(step: Step): string {
  const slot = `c${step.slot}`;
  switch (step.kind) {
    case 'request':
      return `${slot} ${describeRequest(step.request)}`;
    case 'burst':
      return `${slot} burst of ${step.requests.length}\n${step.requests
        .map((request) => `        ${describeRequest(request)}`)
        .join('\n')}`;
    case 'connect': {
      const { session, password, timeoutMs, lastZxid, readOnly } = step.connect;
      const whose = typeof session === 'number' ? `session of c${session}` : `${session} session`;
      return (
        `${slot} connect: ${whose}, ${password} password, timeout ${timeoutMs}, lastZxid ${lastZxid}, ` +
        `readOnly byte ${readOnly ?? 'missing'}`
      );
    }
    case 'drop':
      return `${slot} drops its connection`;
    case 'garbage':
      return `${slot} sends ${step.text}: ${step.bytes}`;
  }
}

function describeRequest(request: Request): string {
  const cut = request.cut === undefined ? '' : ` [body cut to ${request.cut} bytes]`;
  const extra = request.extra === undefined ? '' : ` [and bytes ${request.extra}]`;
  return `${opName(request.op)} ${request.text} (xid ${request.xid})${cut}${extra}`;
}
