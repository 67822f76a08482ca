// A foreign program that shares paths with our recipes, and what it says.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { JVM_OPTIONS, logbackFile } from '../../src/apache.ts';
import { conformanceRoot, curatorClassPath, kazooPython } from '../../src/tools.ts';

export class ForeignProgram {
  readonly who: string;
  readonly ready: Promise<void>;
  readonly done: Promise<void>;
  readonly lines: string[];
  private readonly child: ChildProcess;

  constructor(who: string, command: string, args: readonly string[]) {
    this.who = who;
    this.lines = [];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      errors += text;
    });
    const failed = new Promise<never>((_, reject) => {
      child.on('error', reject);
      child.on('exit', (code) => {
        if (code !== 0) reject(new Error(`${who} ended with ${code}: ${errors.slice(-2000)}`));
      });
    });
    failed.catch(() => {});
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => this.lines.push(line));
    const said = (line: string): Promise<void> =>
      new Promise((resolve) => {
        lines.on('line', (text) => {
          if (text === line) resolve();
        });
      });
    this.ready = Promise.race([said('ready'), failed]);
    this.done = Promise.race([said('done'), failed]);
    this.done.catch(() => {});
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

/** A Java file of foreign/recipes, with Curator. */
export function curatorProgram(who: string, file: string, args: readonly string[]): ForeignProgram {
  return new ForeignProgram(who, 'java', [
    ...JVM_OPTIONS,
    `-Dlogback.configurationFile=${logbackFile}`,
    '-cp',
    curatorClassPath(),
    join(conformanceRoot, 'foreign', 'recipes', file),
    ...args,
  ]);
}

/** A Python file of foreign/recipes, with kazoo. */
export function kazooProgram(who: string, file: string, args: readonly string[]): ForeignProgram {
  const path = join(conformanceRoot, 'foreign', 'recipes', file);
  return new ForeignProgram(who, kazooPython(), [path, ...args]);
}
