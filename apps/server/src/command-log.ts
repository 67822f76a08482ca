/**
 * The log of the command: lines for readers on a terminal, a JSON object a line anywhere else. What the
 * lines are is here; how they reach standard output without holding up the server is in log-output.ts.
 */

import { styleText } from 'node:util';
import type { LogFormat, Logger, LogLevel } from '@zebu/server';
import { type LogOutput, standardOutput } from './log-output.ts';

export interface CommandLog {
  readonly logger: Logger;
  /** Resolves when a thread, if one writes, is done. Before `flush`, where there is time. */
  settled(): Promise<void>;
  /** Writes out what is still held. To be called before the process exits: nothing else does. */
  flush(): void;
}

/** A level that has lines. */
type LineLevel = Exclude<LogLevel, 'silent'>;

/** One line, its line feed included. */
type FormatLine = (level: LineLevel, now: Date, message: string, fields: object) => string;

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

/** Logs to standard output. `auto` is pretty when that is a terminal. */
export function openLog({ level, format }: { level: LogLevel; format: LogFormat }): CommandLog {
  const isPretty = format === 'pretty' || (format === 'auto' && process.stdout.isTTY === true);
  const output: LogOutput = standardOutput((lines) =>
    logger.warn('Lines of the log were lost: its reader stood still, or its disk was full', {
      lines,
    }),
  );
  const logger = loggerOver(level, isPretty ? prettyLine : jsonLine, (line) => output.write(line));
  return { logger, settled: () => output.settled(), flush: () => output.flush() };
}

/** Writes a line for everything from `least` up. */
export function loggerOver(
  least: LogLevel,
  format: FormatLine,
  write: (line: string) => void,
  now: () => Date = () => new Date(),
): Logger {
  const isOn = (level: LineLevel) => LEVELS.indexOf(level) >= LEVELS.indexOf(least);
  const at =
    (level: LineLevel): Logger['info'] =>
    (message, fields = {}) => {
      if (isOn(level)) write(format(level, now(), message, fields));
    };
  return {
    debugEnabled: isOn('debug'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  };
}

/** `{"level":"info","time":"2026-11-30T19:23:20.553Z","pid":3384,"port":2181,"msg":"Serving"}` */
export function jsonLine(level: LineLevel, now: Date, message: string, fields: object): string {
  const line = { level, time: now.toISOString(), pid: process.pid, ...fields, msg: message };
  return `${jsonText(line)}\n`;
}

const STYLES = { debug: 'blue', info: 'green', warn: 'yellow', error: 'red' } as const;

/** `[19:23:20.553] INFO: Serving port=2181 dataDir=/data`, in colours on a terminal. */
export function prettyLine(level: LineLevel, now: Date, message: string, fields: object): string {
  const two = (part: number) => `${part}`.padStart(2, '0');
  const ms = `${now.getMilliseconds()}`.padStart(3, '0');
  const time = `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}.${ms}`;
  const shown = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${fieldText(value)}`);
  const name = styleText(STYLES[level], level.toUpperCase());
  return `[${time}] ${name}: ${styleText('cyan', message)}${shown.join('')}\n`;
}

function fieldText(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"=]+$/.test(value)) return value;
  return jsonText(value);
}

// A line of the log must not fail for what is in it.
function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value, (_, inner: unknown) => {
      if (typeof inner === 'bigint') return `${inner}`;
      return inner instanceof Error ? (inner.stack ?? inner.message) : inner;
    });
  } catch (error) {
    return JSON.stringify({ unloggable: (error as Error).message });
  }
}
