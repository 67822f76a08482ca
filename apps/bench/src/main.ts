// The command zebu-bench. Exit codes: 0 measured, 1 failed (what was measured until then is shown), 2 not
// understood, 130 stopped by a signal.

import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { clean, fill, measure } from './bench.ts';
import { parseCommandLine, type Settings, USAGE, UsageError } from './command-line.ts';
import { benchVersion } from './machine.ts';
import { Progress } from './progress.ts';
import { formatMarkdown, formatReport, type Report } from './report.ts';
import { formatAddress } from './server-info.ts';

async function main(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args.includes('--help') || args[0] === 'help') {
    process.stdout.write(USAGE);
    return args.length === 0 ? 2 : 0;
  }
  if (args.includes('--version')) {
    process.stdout.write(`${benchVersion()}\n`);
    return 0;
  }
  const progress = new Progress();
  try {
    const settings = parseCommandLine(args);
    const run = new Run(settings, args, progress);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => run.stopped());
    }
    return await run.run();
  } catch (error) {
    progress.clear();
    process.stderr.write(`zebu-bench: ${(error as Error).message}\n`);
    if (error instanceof UsageError) process.stderr.write("Try 'zebu-bench --help'\n");
    return error instanceof UsageError ? 2 : 1;
  }
}

class Run {
  private readonly settings: Settings;
  private readonly args: readonly string[];
  private readonly progress: Progress;
  /** What is measured so far. */
  private report: Report | undefined;

  constructor(settings: Settings, args: readonly string[], progress: Progress) {
    this.settings = settings;
    this.args = args;
    this.progress = progress;
  }

  /** Returns the exit code. */
  async run(): Promise<number> {
    const { command, json, keys } = this.settings;
    const progress = this.progress;
    if (json !== undefined) checkWritable(json);
    if (command === 'fill') {
      const seconds = await fill(this.settings, progress.show);
      progress.clear();
      process.stdout.write(`${keys} znodes created in ${seconds.toFixed(1)} s\n`);
      return 0;
    }
    if (command === 'clean') {
      await clean(this.settings, progress.show);
      progress.clear();
      return 0;
    }
    const report = await measure(this.settings, {
      command: ['zebu-bench', ...this.args].join(' '),
      onProgress: progress.show,
      onRow: (soFar) => this.keep(soFar),
    });
    this.keep(report);
    progress.clear();
    this.print();
    if (report.failure === undefined) return 0;
    process.stderr.write(
      `zebu-bench: ${report.failure}; the figures end there; rows above: ${report.rows.length}\n`,
    );
    return 1;
  }

  /** The znodes that it made stay: deleting them may take longer than one who stops it wants to wait. */
  stopped(): never {
    const { path, servers } = this.settings;
    this.progress.clear();
    this.print();
    const address = servers[0]?.addresses.map(formatAddress).join(',');
    process.stderr.write(
      `zebu-bench: stopped; 'zebu-bench clean --server ${address} --path ${path}' deletes what it made\n`,
    );
    process.exit(130);
  }

  /** Written after each row, so that even a run that is killed leaves what it measured. */
  private keep(report: Report): void {
    this.report = report;
    const { json } = this.settings;
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, undefined, 2)}\n`);
  }

  private print(): void {
    if (this.report === undefined) return;
    const format = this.settings.isMarkdown ? formatMarkdown : formatReport;
    process.stdout.write(format(this.report));
  }
}

/** Before an hour is measured for a file that cannot be written. Throws UsageError. */
function checkWritable(file: string): void {
  const isNew = !existsSync(file);
  try {
    closeSync(openSync(file, 'a'));
  } catch (error) {
    throw new UsageError(`--json ${file} cannot be written: ${(error as Error).message}`);
  }
  if (isNew) rmSync(file);
}

// Last: the classes above must exist by now.
process.exitCode = await main(process.argv.slice(2));
