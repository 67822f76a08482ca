// Stands in for calls of node:fs, also where a module has imported them by name.

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/** fs.read and fs.write, as this package calls them. */
export type PositionedCall = (
  fd: number,
  buffer: Buffer,
  offset: number,
  length: number,
  position: number,
  done: (error: NodeJS.ErrnoException | null, bytes: number) => void,
) => void;

export const realRead: PositionedCall = fs.read as PositionedCall;
export const realWrite: PositionedCall = fs.write as PositionedCall;
export const realReadSync: typeof fs.readSync = fs.readSync;

export function standIn(calls: {
  read?: PositionedCall;
  readSync?: (...parameters: [number, Buffer, number, number, number]) => number;
  write?: PositionedCall;
}): void {
  Object.assign(fs, calls);
  syncBuiltinESMExports();
}

export function endStandIns(): void {
  standIn({ read: realRead, readSync: realReadSync, write: realWrite });
}
