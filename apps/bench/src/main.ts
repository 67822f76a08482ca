// The command zebu-bench. Exit codes: 0 measured, 1 failed, 2 not understood.

import { writeFileSync } from 'node:fs';
import { clean, fill, measure } from './bench.ts';
import { parseCommandLine, type Settings, USAGE, UsageError } from './command-line.ts';
import { benchVersion } from './machine.ts';
import { Progress } from './progress.ts';
import { formatMarkdown, formatReport, tableOf } from './report.ts';
import { formatAddress } from './server-info.ts';

process.exitCode = await main(process.argv.slice(2));

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
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => stopped(settings, progress));
    }
    await run(settings, args, progress);
    return 0;
  } catch (error) {
    progress.clear();
    process.stderr.write(`zebu-bench: ${(error as Error).message}\n`);
    if (error instanceof UsageError) process.stderr.write("Try 'zebu-bench --help'\n");
    return error instanceof UsageError ? 2 : 1;
  }
}

/** What it made stays: deleting it may take longer than whoever stops it wants to wait. */
function stopped({ path, servers }: Settings, progress: Progress): never {
  progress.clear();
  const address = servers[0]?.addresses.map(formatAddress).join(',');
  process.stderr.write(
    `zebu-bench: stopped; 'zebu-bench clean --server ${address} --path ${path}' deletes what it made\n`,
  );
  process.exit(130);
}

async function run(settings: Settings, args: readonly string[], progress: Progress) {
  if (settings.command === 'fill') {
    const seconds = await fill(settings, progress.show);
    progress.clear();
    process.stdout.write(`${settings.keys} znodes created in ${seconds.toFixed(1)} s\n`);
    return;
  }
  if (settings.command === 'clean') {
    await clean(settings, progress.show);
    progress.clear();
    return;
  }
  const command = ['zebu-bench', ...args].join(' ');
  const report = await measure(settings, { command, onProgress: progress.show });
  progress.clear();
  process.stdout.write(
    settings.isMarkdown ? formatMarkdown(tableOf(report.rows)) : formatReport(report),
  );
  if (settings.json !== undefined) {
    writeFileSync(settings.json, `${JSON.stringify(report, undefined, 2)}\n`);
  }
}
