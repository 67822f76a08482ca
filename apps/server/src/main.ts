/**
 * The command zebu-server: reads the configuration, runs one server in this process, and ends with it.
 * It holds no server logic; what it adds is the log, the signals and the exit codes.
 */

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ConfigError,
  FULL_VERSION,
  helpText,
  type Logger,
  type ParsedConfig,
  parseConfig,
  printConfig,
  startServer,
  wholeHelpText,
  type ZebuServer,
} from '@zebu/server';
import { reportActivity } from './activity-report.ts';
import {
  checkStart,
  formatAsJson,
  formatAsText,
  isFine,
  type Problem,
  problemsOf,
} from './check-start.ts';
import { type CommandLog, openLog } from './command-log.ts';
import { runLocalEnsemble } from './local-ensemble.ts';
import { watchTurns } from './long-turns.ts';
import { StopRequests } from './stop-requests.ts';

/**
 * The codes of Apache's ExitCode that can happen here, with one difference. Apache's server ends with 3 when it
 * cannot use the data directory, and with 1 when it cannot read the data. Here 3 is for the data
 * alone: a supervisor can tell that neither a restart nor another setting would help.
 */
const ExitCode = {
  stopped: 0,
  failed: 1,
  wrongConfiguration: 2,
  wrongData: 3,
} as const;

/** Exit codes of a StorageError that is not about the data, by its code. */
const STORAGE_EXIT_CODES: Readonly<Record<string, number>> = {
  BAD_DATA_DIRECTORY: ExitCode.wrongConfiguration,
  DIRECTORY_IN_USE: ExitCode.failed,
  DISK_FAILED: ExitCode.failed,
};

/** A stop that takes longer is given up. */
const STOP_LIMIT_MS = 12_000;
/** How long the exit waits for the file that the log goes to. */
const LOG_LIMIT_MS = 1000;

/** Errors whose message says everything. Of any other error the stack is logged. */
const PLAIN_ERRORS = ['ConfigError', 'StorageError', 'TransportError'];

// Members are processes of their own: no server runs in this one.
process.exitCode =
  process.argv[2] === 'ensemble' ? await runLocalEnsemble(process.argv.slice(3)) : await main();

async function main(): Promise<number> {
  let parsed: ParsedConfig;
  try {
    parsed = parseConfig({
      argv: process.argv.slice(2),
      env: process.env,
      cwd: process.cwd(),
      readFile: (path) => readFileSync(path),
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const isCheck = process.argv[2] === 'check';
    if (isCheck) return report(problemsOf(error), process.argv.includes('--json'));
    for (const warning of error.warnings) say(`Warning: ${warning}`);
    for (const { message } of error.problems) say(message);
    return ExitCode.wrongConfiguration;
  }
  switch (parsed.action) {
    case 'help':
      process.stdout.write(helpText());
      return ExitCode.stopped;
    case 'help-all':
      process.stdout.write(wholeHelpText());
      return ExitCode.stopped;
    case 'version':
      process.stdout.write(`${FULL_VERSION}\n`);
      return ExitCode.stopped;
    case 'print-config':
      process.stdout.write(printConfig(parsed));
      return ExitCode.stopped;
    case 'check':
      return report(await checkStart(parsed), parsed.isJson);
    case 'run':
      return await run(parsed);
  }
}

function report(problems: readonly Problem[], isJson: boolean): number {
  process.stdout.write(isJson ? formatAsJson(problems) : formatAsText(problems));
  return isFine(problems) ? ExitCode.stopped : ExitCode.wrongConfiguration;
}

function say(message: string): void {
  process.stderr.write(`zebu-server: ${message}\n`);
}

async function run({ config, log: { level, format }, notes }: ParsedConfig): Promise<number> {
  const log = openLog({ level, format });
  const { logger } = log;
  endOnBrokenInvariants(log);
  for (const note of notes) logger[note.level](note.message);
  const stop = whenAskedToStop(log);
  const starting = startServer({ ...config, logger });
  // A start may be cut short: it only reads.
  const started = await Promise.race([starting.catch((error: unknown) => ({ error })), stop]);
  if (typeof started === 'string') {
    logger.info('Stopped before it served', { reason: started });
    return await leave(log, ExitCode.stopped);
  }
  if ('error' in started) {
    logger.error(describe(started.error));
    return await leave(log, exitCodeOf(started.error));
  }
  return await leave(log, await runUntilStopped(started, stop, log));
}

async function runUntilStopped(
  server: ZebuServer,
  stop: Promise<string>,
  log: CommandLog,
): Promise<number> {
  const { logger } = log;
  reportOnSignal(server, logger);
  const ended = await Promise.race([server.failed, stop]);
  if (ended instanceof Error) {
    // The library has logged what happened. Nothing can be written any more, so there is nothing to wait for.
    return ExitCode.failed;
  }
  const limit = setTimeout(() => {
    logger.error('The stop takes too long and is given up', { limitMs: STOP_LIMIT_MS });
    exit(log, ExitCode.failed);
  }, STOP_LIMIT_MS);
  try {
    await server.close(ended);
    return ExitCode.stopped;
  } catch (error) {
    logger.error(describe(error));
    return ExitCode.failed;
  } finally {
    clearTimeout(limit);
  }
}

/** Exits once the log's last lines are written, or its disk takes too long. */
async function leave(log: CommandLog, code: number): Promise<never> {
  await Promise.race([log.settled(), delay(LOG_LIMIT_MS)]);
  return exit(log, code);
}

// By process.exit: a timer or a socket of a half-started server must not keep the process alive.
function exit({ flush }: CommandLog, code: number): never {
  flush();
  process.exit(code);
}

function reportOnSignal(server: ZebuServer, logger: Logger): void {
  const turns = watchTurns();
  let isReporting = false;
  process.on('SIGQUIT', () => {
    if (isReporting) return;
    isReporting = true;
    void reportActivity(server, turns, logger).finally(() => {
      isReporting = false;
    });
  });
}

/** Resolves with the reason. A second signal does not wait. */
function whenAskedToStop(log: CommandLog): Promise<string> {
  const requests = new StopRequests();
  return new Promise((resolve) => {
    const ask = (signal: NodeJS.Signals): void => {
      const meaning = requests.meaningOf(signal, performance.now());
      if (meaning === 'stop') resolve(signal);
      if (meaning !== 'stop at once') return;
      log.logger.warn('Stopped before all was done', { reason: `a second signal: ${signal}` });
      exit(log, ExitCode.failed);
    };
    if (process.env.ZEBU_STOP_WITH_STDIN === 'yes') {
      whenStdinEnds(() => resolve('standard input has ended: what started this server is gone'));
    }
    process.on('SIGTERM', ask);
    process.on('SIGINT', ask);
    // Until it serves there is nothing to report; without a listener the signal would end the process.
    process.on('SIGQUIT', () => {});
    // Node opens its debugger, and with it the whole process, on this signal unless somebody listens.
    process.on('SIGUSR1', () => log.logger.info('SIGUSR1 does nothing here'));
    process.on('SIGHUP', (signal) => {
      // Node replaces the SIGHUP handler that nohup set. A server that does not write to a terminal ignores it.
      if (process.stdout.isTTY === true) ask(signal);
      else log.logger.info('SIGHUP is not for a server without a terminal');
    });
  });
}

/** For a server that is started by a program, and is not to outlive it. */
function whenStdinEnds(ended: () => void): void {
  process.stdin.once('close', ended).once('error', ended).resume();
}

// A broken invariant stops the process: what is acknowledged is on disk, and nothing after it can be
// trusted.
function endOnBrokenInvariants(log: CommandLog): void {
  const end = (error: unknown): void => {
    log.logger.error('Stopped by an error in the server itself', { error: describe(error, true) });
    exit(log, ExitCode.failed);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}

function describe(error: unknown, withStack = false): string {
  if (!(error instanceof Error)) return String(error);
  const isPlain = PLAIN_ERRORS.includes(error.name) || 'syscall' in error;
  return isPlain && !withStack ? error.message : (error.stack ?? error.message);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return ExitCode.wrongConfiguration;
  if (!(error instanceof Error)) return ExitCode.failed;
  const { code = '' } = error as Error & { code?: string };
  if (code === 'BAD_TLS_SETTINGS') return ExitCode.wrongConfiguration;
  if (error.name !== 'StorageError') return ExitCode.failed;
  return STORAGE_EXIT_CODES[code] ?? ExitCode.wrongData;
}
