// What to do about an error whose cause the protocol's number does not tell.

import { ErrorCode, OpCode } from '@zebu/protocol';

/** What was asked: the protocol's op code, and the path as a view with this chroot ('' for none) knows it. */
export interface Asked {
  readonly type: number;
  readonly path: string;
  readonly chroot: string;
}

/** For the message of the error; undefined where there is nothing to add. */
export function adviceOn(errno: number, { type, path, chroot }: Asked): string | undefined {
  if (errno === ErrorCode.UNIMPLEMENTED && type === OpCode.createTTL) {
    return 'TTL znodes need extendedTypesEnabled=true in the configuration of every server';
  }
  if (errno === ErrorCode.NONODE && chroot !== '' && isAboutRoot(type, path)) {
    return `the chroot ${chroot} does not exist; create it first, by a client without a chroot`;
  }
  return undefined;
}

/** Whether a missing znode can only be the root of the view, which is the chroot. */
function isAboutRoot(type: number, path: string): boolean {
  if (path === '/') return true;
  const isCreate =
    type === OpCode.create2 || type === OpCode.createContainer || type === OpCode.createTTL;
  return isCreate && path.lastIndexOf('/') === 0;
}
