/**
 * The log of the command: lines for readers on a terminal, a JSON object a line anywhere else. Gives
 * the library a Logger; the library knows nothing of pino.
 */

import type { LogFormat, Logger, LogLevel } from '@zebu/server';
import pino from 'pino';
import { type LogOutput, standardOutput } from './log-output.ts';

export interface CommandLog {
  readonly logger: Logger;
  /** Resolves when a thread, if one writes, is done. Before `flush`, where there is time. */
  settled(): Promise<void>;
  /** Writes out what is still held. To be called before the process exits: nothing else does. */
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
  const output: LogOutput = standardOutput((lines) => sayLost(log, lines));
  const log = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  );
  return commandLog(log, output);
}

async function openPrettyLog(level: LogLevel): Promise<CommandLog> {
  // Loaded here alone: the JSON log starts without it.
  const { prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({
    colorize: process.stdout.isTTY === true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
    hideObject: true,
    messageFormat: (line, messageKey) => prettyLine(line, messageKey),
  });
  const output: LogOutput = standardOutput((lines) => sayLost(log, lines));
  const log = pino({ level, base: null }, { write: (line) => output.write(pretty(line)) });
  return commandLog(log, output);
}

function commandLog(log: pino.Logger, output: LogOutput): CommandLog {
  return {
    logger: loggerOver(log),
    settled: () => output.settled(),
    flush: () => output.flush(),
  };
}

function sayLost(log: pino.Logger, lines: number): void {
  log.warn({ lines }, 'Lines of the log were lost: its reader stood still, or its disk was full');
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
