// Servers whose disk is slow, or stands still: their fsync and fdatasync wait as long as a file says (foreign/slow-sync).

import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conformanceRoot } from './tools.ts';

const STALLED = -1;

export class SlowSync implements Disposable {
  private readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Why there can be none on this machine; undefined when there can. */
  static whyNot(): string | undefined {
    if (process.platform !== 'linux')
      return `slow syncs are made with LD_PRELOAD, not on ${process.platform}`;
    try {
      SlowSync.make()[Symbol.dispose]();
      return undefined;
    } catch (error) {
      return `slow syncs need a C compiler: ${String(error).trim()}`;
    }
  }

  /** Compiles the library. All syncs are as fast as the disk until they are told otherwise. */
  static make(): SlowSync {
    const slow = new SlowSync(mkdtempSync(join(tmpdir(), 'zebu-slow-sync-')));
    const source = join(conformanceRoot, 'foreign', 'slow-sync', 'slow-sync.c');
    try {
      const args = ['-O2', '-Wall', '-shared', '-fPIC', '-o', slow.library, source, '-ldl'];
      execFileSync('cc', args, { stdio: 'pipe' });
    } catch (error) {
      slow[Symbol.dispose]();
      throw error;
    }
    return slow;
  }

  /** What the environment of a server gets whose syncs `delay` and `stall` name by `name`. */
  environment(name: string | number): Record<string, string> {
    return { LD_PRELOAD: this.library, SLOW_SYNC_FILE: this.file(name) };
  }

  /** Each sync takes this many ms longer; 0 is as fast as the disk. Ends a stall. */
  delay(name: string | number, ms: number): void {
    // In one step: the other side may be reading.
    writeFileSync(`${this.file(name)}.new`, `${ms}\n`);
    renameSync(`${this.file(name)}.new`, this.file(name));
  }

  /** No sync ends until delay() is called. */
  stall(name: string | number): void {
    this.delay(name, STALLED);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private get library(): string {
    return join(this.folder, 'slow-sync.so');
  }

  private file(name: string | number): string {
    return join(this.folder, `member-${name}`);
  }
}
