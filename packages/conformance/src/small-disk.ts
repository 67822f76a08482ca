// A disk of a few megabytes, which a test can fill and free: a tmpfs, mounted where a server will have its directory.

import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class SmallDisk implements Disposable {
  readonly directory: string;
  private readonly unmount: () => void;

  private constructor(directory: string) {
    this.directory = directory;
    this.unmount = () => execFileSync('umount', ['-l', directory], { stdio: 'ignore' });
  }

  /** Why there can be none on this machine; undefined when there can. */
  static whyNot(): string | undefined {
    const directory = mkdtempSync(join(tmpdir(), 'zebu-small-disk-'));
    try {
      SmallDisk.mount(directory, 1)[Symbol.dispose]();
      return undefined;
    } catch (error) {
      return `no tmpfs can be mounted: ${String(error).trim()}`;
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  /** At `directory`, which is made; what it holds is gone with the disk. */
  static mount(directory: string, megabytes: number): SmallDisk {
    mkdirSync(directory, { recursive: true });
    execFileSync(
      'mount',
      ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'zebu-small-disk', directory],
      {
        stdio: 'pipe',
      },
    );
    const disk = new SmallDisk(directory);
    process.once('exit', disk.unmount);
    return disk;
  }

  /** Leaves no free block. */
  fill(): void {
    const fd = openSync(this.ballast, 'w');
    try {
      const block = Buffer.alloc(4096, 1);
      for (;;) writeSync(fd, block);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** Takes away what `fill` wrote. */
  free(): void {
    rmSync(this.ballast);
  }

  [Symbol.dispose](): void {
    process.off('exit', this.unmount);
    this.unmount();
  }

  private get ballast(): string {
    return join(this.directory, 'ballast');
  }
}
