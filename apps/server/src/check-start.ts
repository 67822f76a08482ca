/**
 * `zebu-server check`: finds everything that a start would stop at or warn of. It makes and changes nothing;
 * each port is bound for a moment. It does not recover the data: that takes as long as a start.
 */

import { accessSync, constants, readdirSync, type Stats, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ConfigError, type ParsedConfig, probeStart, type ServerConfig } from '@zebu/server';

export interface Problem {
  /** An error stops a start. */
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

/** With less free space than this the txn log cannot take even a few txns. */
const LEAST_FREE_BYTES = 1024 * 1024;

/** The problems of a configuration that could be read. */
export async function checkStart({ config, notes }: ParsedConfig): Promise<Problem[]> {
  const warnings = notes.filter(({ level }) => level === 'warn');
  return [
    ...(await probeStart(config)).flatMap(problemsOf),
    ...directories(config).flatMap((directory) => problemsOfDirectory(directory, config)),
    ...warnings.map(({ message }): Problem => ({ severity: 'warning', message })),
  ];
}

/** The problems that an error of a start stands for; a ConfigError may stand for several, and carries warnings. */
export function problemsOf(error: Error | ConfigError): Problem[] {
  const { problems = [error], warnings = [] } = error as Partial<ConfigError>;
  return [
    ...problems.map(({ message }): Problem => ({ severity: 'error', message })),
    ...warnings.map((message): Problem => ({ severity: 'warning', message })),
  ];
}

/** Whether a start would get past them. */
export function isFine(problems: readonly Problem[]): boolean {
  return problems.every(({ severity }) => severity === 'warning');
}

/** A line for each, and one that sums up. */
export function formatAsText(problems: readonly Problem[]): string {
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const lines = problems.map(({ severity, message }) => `${severity}: ${message}\n`);
  const summary =
    errors === 0 ? 'A server would start' : `A server would not start: ${errors} wrong`;
  return `${lines.join('')}${summary}\n`;
}

/** `{"ok": false, "problems": [{"severity": "error", "message": "..."}]}` */
export function formatAsJson(problems: readonly Problem[]): string {
  return `${JSON.stringify({ ok: isFine(problems), problems })}\n`;
}

interface Directory {
  readonly setting: 'dataDir' | 'dataLogDir';
  readonly path: string;
  readonly holdsLogs: boolean;
}

function directories({ dataDir, dataLogDir }: ServerConfig): Directory[] {
  if (dataDir === undefined) return [];
  const hasOwnLogs = dataLogDir !== undefined && dataLogDir !== dataDir;
  const data: Directory = { setting: 'dataDir', path: dataDir, holdsLogs: !hasOwnLogs };
  return hasOwnLogs ? [data, { setting: 'dataLogDir', path: dataLogDir, holdsLogs: true }] : [data];
}

function problemsOfDirectory(directory: Directory, config: ServerConfig): Problem[] {
  const { setting, path } = directory;
  const about = `${setting}=${path}`;
  const versioned = join(path, 'version-2');
  const existing = nearestExisting(versioned);
  const wrong = (message: string): Problem[] => [{ severity: 'error', message }];
  if (existing.stats.isDirectory() === false) {
    return wrong(`${about}: ${existing.path} is a file: name a directory`);
  }
  const isMissing = existing.path !== versioned;
  if (isMissing && !config.dataDirAutocreate) {
    return wrong(`${about}: ${versioned} is missing, and datadir.autocreate is false: make it`);
  }
  if (!isUsable(existing.path)) {
    const need = isMissing ? 'make directories in' : 'read and write';
    return wrong(
      `${about}: the user that runs the server may not ${need} ${existing.path}: change its owner or mode, or ${setting}`,
    );
  }
  return [
    ...(isMissing ? [] : problemsOfFiles(versioned)),
    ...(directory.holdsLogs ? problemsOfSpace(about, existing.path, config) : []),
  ];
}

/** The path itself, or the nearest above it that there is. */
function nearestExisting(path: string): { path: string; stats: Stats } {
  for (let at = path; ; at = dirname(at)) {
    try {
      return { path: at, stats: statSync(at) };
    } catch (error) {
      // A directory that may not be entered is judged by the one above it.
      if (dirname(at) === at) throw error;
    }
  }
}

function isUsable(directory: string): boolean {
  return may(directory, constants.R_OK | constants.W_OK | constants.X_OK);
}

function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

function problemsOfFiles(directory: string): Problem[] {
  return readdirSync(directory)
    .filter((name) => /^(log|snapshot)\./.test(name) || name.endsWith('Epoch'))
    .map((name) => join(directory, name))
    .filter((path) => !may(path, constants.R_OK))
    .map((path) => ({
      severity: 'error',
      message: `The user that runs the server may not read ${path}: change its owner or mode`,
    }));
}

function problemsOfSpace(about: string, path: string, config: ServerConfig): Problem[] {
  const { bavail, bsize } = statfsSync(path);
  const freeBytes = bavail * bsize;
  const needed = config.preAllocSizeBytes;
  if (freeBytes >= Math.max(needed, LEAST_FREE_BYTES)) return [];
  const free = `${about}: only ${kilobytes(freeBytes)} KB are free there`;
  return freeBytes < LEAST_FREE_BYTES
    ? [{ severity: 'error', message: `${free}: the txn log needs more` }]
    : [
        {
          severity: 'warning',
          message: `${free}, less than a log file takes at first (preAllocSize=${kilobytes(needed)})`,
        },
      ];
}

function kilobytes(bytes: number): number {
  return Math.floor(bytes / 1024);
}
