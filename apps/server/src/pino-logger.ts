/**
 * The log of the command: lines for readers on a terminal, a JSON object a line anywhere else. Gives
 * the library a Logger; the library knows nothing of pino.
 */

import type { LogFormat, Logger, LogLevel } from '@zebu/server';
import pino from 'pino';

export interface CommandLog {
  readonly logger: Logger;
  /** Writes out what is still held. To be called before the process exits. */
  flush(): void;
}

/** Logs to standard output. `auto` is pretty when that is a terminal. */
export async function openLog({
  level,
  format,
}: {
  level: LogLevel;
  format: LogFormat;
}): Promise<CommandLog> {
  const isPretty = format === 'pretty' || (format === 'auto' && process.stdout.isTTY === true);
  return isPretty ? openPrettyLog(level) : openJsonLog(level);
}

function openJsonLog(level: LogLevel): CommandLog {
  // Not sync: a reader of the log that stands still must not stop the server.
  const output = pino.destination({ fd: 1, sync: false });
  ignoreErrorsOf(output);
  const log = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  );
  return { logger: loggerOver(log), flush: () => flushSync(output) };
}

async function openPrettyLog(level: LogLevel): Promise<CommandLog> {
  // Loaded here alone: the JSON log starts without it.
  const { default: pretty } = await import('pino-pretty');
  const output = pretty({
    colorize: process.stdout.isTTY === true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
    hideObject: true,
    messageFormat: (line, messageKey) => prettyLine(line, messageKey),
    sync: true,
  });
  ignoreErrorsOf(output);
  return { logger: loggerOver(pino({ level, base: null }, output)), flush() {} };
}

const OWN_FIELDS = ['level', 'time', 'pid', 'hostname'];

/** `Serving port=2181 dataDir=/data`. */
export function prettyLine(line: Record<string, unknown>, messageKey: string): string {
  const fields = Object.entries(line)
    .filter(([key]) => key !== messageKey && !OWN_FIELDS.includes(key))
    .map(([key, value]) => `${key}=${fieldText(value)}`);
  return [line[messageKey], ...fields].join(' ');
}

function fieldText(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"=]+$/.test(value)) return value;
  return JSON.stringify(value);
}

function loggerOver(log: pino.Logger): Logger {
  return {
    get debugEnabled() {
      return log.isLevelEnabled('debug');
    },
    debug: (message, fields) => log.debug(fields ?? {}, message),
    info: (message, fields) => log.info(fields ?? {}, message),
    warn: (message, fields) => log.warn(fields ?? {}, message),
    error: (message, fields) => log.error(fields ?? {}, message),
  };
}

// The reader of the log may go away; the server stays.
function ignoreErrorsOf(output: { on(event: 'error', listener: () => void): unknown }): void {
  output.on('error', () => {});
}

function flushSync(output: ReturnType<typeof pino.destination>): void {
  try {
    output.flushSync();
  } catch {
    // Nobody reads it any more.
  }
}
