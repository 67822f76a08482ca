// What Linux counts about processes and the machine: CPU time, resident memory, who listens on a port.
// On other systems every answer is undefined, and reports leave the columns out.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** USER_HZ: the unit of /proc's CPU times; 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface ProcessMemory {
  readonly rssBytes: number;
  /** Highest resident size so far (VmHWM). */
  readonly peakBytes: number;
}

/** CPU seconds, user and system, of all threads of a process so far; undefined when there is none. */
export function processCpuSeconds(pid: number): number | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The second field is the name in parentheses, and may hold spaces and parentheses itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function processMemory(pid: number): ProcessMemory | undefined {
  const text = read(`/proc/${pid}/status`);
  const rssKb = text?.match(/^VmRSS:\s+(\d+) kB/m)?.[1];
  const peakKb = text?.match(/^VmHWM:\s+(\d+) kB/m)?.[1];
  if (rssKb === undefined || peakKb === undefined) return undefined;
  return { rssBytes: Number(rssKb) * 1024, peakBytes: Number(peakKb) * 1024 };
}

/** Proportional set size: what a process holds, with memory that others share counted in parts. */
export function processPssBytes(pid: number): number | undefined {
  const kb = read(`/proc/${pid}/smaps_rollup`)?.match(/^Pss:\s+(\d+) kB/m)?.[1];
  return kb === undefined ? undefined : Number(kb) * 1024;
}

/** The command line of a process, its words joined by spaces. */
export function processCommand(pid: number): string | undefined {
  return read(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trim();
}

/** CPU seconds that all cores together spent on anything, steal included, since boot. */
export function machineCpuSeconds(): number | undefined {
  const text = read('/proc/stat');
  if (text === undefined) return undefined;
  const [user, nice, system, , , irq, softirq, steal] = text
    .slice(0, text.indexOf('\n'))
    .split(/\s+/)
    .slice(1)
    .map(Number) as [number, number, number, number, number, number, number, number];
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

/** The process of this machine that listens on a TCP port, if this user may see it. */
export function pidListeningOn(port: number): number | undefined {
  const inodes = new Set<string>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (read(file) ?? '').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const isListening = fields[3] === '0A';
      if (isListening && Number.parseInt(fields[1]?.split(':')[1] ?? '', 16) === port) {
        inodes.add(`socket:[${fields[9]}]`);
      }
    }
  }
  if (inodes.size === 0) return undefined;
  for (const name of list('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    for (const fd of list(`/proc/${pid}/fd`)) {
      if (inodes.has(link(`/proc/${pid}/fd/${fd}`))) return pid;
    }
  }
  return undefined;
}

// A process may end while it is read: what cannot be read counts as absent.

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function link(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
