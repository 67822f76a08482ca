// What the user may not read or write, of many znodes: each is named as it comes, the rest goes on, and the command ends
// with the exit code of what is not allowed.

import { ZkError } from '@zebu/client';
import { CommandError } from './command-error.ts';

/** What draws on the terminal's last line, where a note would come between. */
interface Drawing {
  end(): void;
}

export class Refusals {
  private readonly note: (text: string) => void;
  private readonly drawing: Drawing | undefined;
  private told: number;

  constructor(note: (text: string) => void, drawing?: Drawing) {
    this.note = note;
    this.drawing = drawing;
    this.told = 0;
  }

  get count(): number {
    return this.told;
  }

  /** `path` as the user would write it. */
  add(path: string, why: string): void {
    this.told += 1;
    this.drawing?.end();
    this.note(`${path}: ${why}`);
  }

  /** `what`: "could not be read". */
  throwIfAny(what: string): void {
    if (this.told === 0) return;
    const znodes = this.told === 1 ? '1 znode' : `${this.told} znodes`;
    throw new CommandError('not-allowed', `${znodes} ${what}`, {
      hint: 'getAcl shows who may; show credentials with --auth-file or ZEBU_AUTH',
    });
  }
}

/** An ACL says no: to the server, or to us, from whom the server hides a part of it. */
export function isRefusal(error: unknown): boolean {
  return (
    ZkError.is(error, 'NO_AUTH') || (error instanceof CommandError && error.kind === 'not-allowed')
  );
}

/** Why, without the path. */
export function refusalText(error: unknown): string {
  return error instanceof CommandError ? error.message : 'insufficient permission';
}
