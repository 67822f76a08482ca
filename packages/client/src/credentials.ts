// What was shown to the server by `auth` and addAuth(), and is shown again on each connection, ahead
// of everything else. Replies come in the order of showing; they have no xid of their own.

import {
  type AuthRequest,
  beginFrame,
  ErrorCode,
  endFrame,
  OpCode,
  writeAuthRequest,
  Xid,
} from '@zebu/protocol';
import { serverError, type ZkError } from './errors.ts';
import type { Wire } from './wire.ts';

interface Credential {
  readonly scheme: string;
  readonly auth: Uint8Array;
  /** The server has taken it at least once. */
  isConfirmed: boolean;
  waiting: { resolve: () => void; reject: (error: ZkError) => void } | undefined;
}

export interface CredentialsOwner {
  /** All that were shown on this connection are taken. */
  credentialsTaken(): void;
  /** The server refused one, which it had taken before if `wasGood`; it closes the connection now. */
  credentialRefused(error: ZkError, wasGood: boolean): void;
  /** Gives up the connection: what it sent makes no sense. */
  drop(reason: Error): void;
}

export class Credentials {
  private readonly owner: CredentialsOwner;
  private readonly all: Credential[];
  /** Shown on this connection; their replies are missing, in order. */
  private shown: Credential[];

  constructor(
    given: readonly { readonly scheme: string; readonly auth: Uint8Array }[],
    owner: CredentialsOwner,
  ) {
    this.owner = owner;
    this.all = given.map(({ scheme, auth }) => ({
      scheme,
      auth,
      isConfirmed: false,
      waiting: undefined,
    }));
    this.shown = [];
  }

  get areTaken(): boolean {
    return this.shown.length === 0;
  }

  /** Shows it on this connection, if there is one, and on every later one; resolves when the server took it. */
  add(scheme: string, auth: Uint8Array, wire: Wire | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const credential: Credential = {
        scheme,
        auth,
        isConfirmed: false,
        waiting: { resolve, reject },
      };
      this.all.push(credential);
      if (wire !== undefined) {
        this.show(wire, credential);
        wire.flushSoon();
      }
    });
  }

  showAll(wire: Wire): void {
    for (const credential of this.all) this.show(wire, credential);
  }

  answered(errno: number): void {
    const credential = this.shown.shift();
    if (credential === undefined) {
      this.owner.drop(new Error('An auth reply came where none was due'));
      return;
    }
    if (errno === ErrorCode.OK) {
      credential.isConfirmed = true;
      credential.waiting?.resolve();
      credential.waiting = undefined;
      if (this.areTaken) this.owner.credentialsTaken();
      return;
    }
    const error = serverError(errno, { op: 'addAuth' });
    this.all.splice(this.all.indexOf(credential), 1);
    credential.waiting?.reject(error);
    this.owner.credentialRefused(error, credential.isConfirmed);
  }

  /** The connection is lost: the next one is shown all again. */
  lost(): void {
    this.shown = [];
  }

  finish(error: ZkError): void {
    for (const credential of this.all) credential.waiting?.reject(error);
  }

  private show(wire: Wire, credential: Credential): void {
    const request: AuthRequest = { type: 0, scheme: credential.scheme, auth: credential.auth };
    const mark = beginFrame(wire.out);
    wire.out.int32(Xid.auth);
    wire.out.int32(OpCode.auth);
    writeAuthRequest(wire.out, request);
    endFrame(wire.out, mark);
    this.shown.push(credential);
  }
}
