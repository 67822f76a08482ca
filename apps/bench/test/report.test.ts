import { describe, expect, it } from 'vitest';
import type { Figures, Usage } from '../src/meter.ts';
import { formatMarkdown, formatReport, type Report, tableOf, warningsFor } from '../src/report.ts';
import type { Row } from '../src/rounds.ts';

const QUIET: Usage = {
  serverCpuUs: 10,
  rssBytes: 50 * 2 ** 20,
  peakBytes: 60 * 2 ** 20,
  driverCores: 0.5,
  serverCores: 1,
  otherCores: 0.01,
};

function figures(rate: number, more: Partial<Figures> = {}, usage: Partial<Usage> = {}): Figures {
  const latency = { p50Ms: 0.5, p99Ms: 1, p999Ms: 2, maxMs: 1000 / rate };
  return {
    rate,
    count: 10,
    errors: 0,
    seconds: 1,
    latency: { get: latency },
    usage: { ...QUIET, ...usage },
    ...more,
  };
}

const scenario = {
  name: 'get',
  summary: 'getData',
  connections: 64,
  window: 16,
  unit: 'requests',
};

const ROW: Row = {
  scenario,
  sides: [
    { label: 'ours', rounds: [figures(900), figures(1000), figures(1100)] },
    { label: 'theirs', rounds: [figures(300), figures(500), figures(500)] },
  ],
};

const SERVERS = [
  { label: 'ours', addresses: 'a:1', version: '1', pids: [1], commands: ['node x'] },
  { label: 'theirs', addresses: 'b:2', version: undefined, pids: [2], commands: [] },
];

describe('tableOf', () => {
  it('shows medians with their spread, and the ratio of the pairs', () => {
    const [head, ours, theirs, ratio] = tableOf([ROW]);
    const column = head?.indexOf('per second') as number;
    expect(ours?.[column]).toBe('1,000 (900-1,100)');
    expect(theirs?.[column]).toBe('500 (300-500)');
    expect(ratio?.[column]).toBe('2.20 (2.00-3.00)');
    expect(ours?.[0]).toBe('get 64x16');
  });

  it('shows a dash, never a guess, where there is no figure', () => {
    const round = figures(1, {}, { serverCpuUs: undefined, rssBytes: undefined });
    const [head, row] = tableOf([{ scenario, sides: [{ label: 'ours', rounds: [round] }] }]);
    expect(row?.[head?.indexOf('CPU us') as number]).toBe('-');
    expect(row?.[head?.indexOf('RSS MB') as number]).toBe('-');
  });

  it('gives each kind of request its latencies', () => {
    const latency = { p50Ms: 1, p99Ms: 2, p999Ms: 3, maxMs: 4 };
    const round = figures(5, { latency: { get: latency, set: { ...latency, maxMs: 70 } } });
    const [, get, set] = tableOf([{ scenario, sides: [{ label: 'ours', rounds: [round] }] }]);
    expect(get?.slice(2, 4)).toEqual(['get', '5']);
    expect(set?.slice(2, 4)).toEqual(['set', '']);
    expect(set?.at(7)).toBe('70.0');
  });

  it('is Markdown on request', () => {
    const lines = formatMarkdown(tableOf([ROW])).split('\n');
    expect(lines[1]).toMatch(/^\|( --- \|){11}$/);
    expect(lines).toHaveLength(6);
  });
});

describe('warningsFor', () => {
  const warn = (round: Figures) =>
    warningsFor([{ scenario, sides: [{ label: 'ours', rounds: [round] }] }], SERVERS);

  it('says nothing about a quiet machine', () => {
    expect(warn(figures(1))).toEqual([]);
  });

  it.each([
    ['busy with something else', figures(1, {}, { otherCores: 0.4 })],
    ['the driver used a whole core', figures(1, {}, { driverCores: 0.99, serverCores: 0.5 })],
    ['were errors', figures(1, { errors: 3 })],
  ])('warns: %s', (text, round) => {
    expect(warn(round)).toEqual([expect.stringContaining(text)]);
  });

  it('warns when it cannot tell, for want of a pid', () => {
    const [server] = SERVERS;
    expect(warningsFor([], [{ ...(server as (typeof SERVERS)[0]), pids: [] }])).toEqual([
      expect.stringContaining('pid unknown'),
    ]);
  });
});

describe('formatReport', () => {
  it('says the command, the machine, the versions and the rounds', () => {
    const report: Report = {
      format: 'zebu-bench/1',
      command: 'zebu-bench get --window 16',
      startedAt: '2026-01-02T03:04:05.000Z',
      machine: {
        cpu: 'A CPU',
        cores: 2,
        memoryBytes: 2 ** 33,
        system: 'Linux 6',
        node: 'v24',
        bench: '0.1.0',
      },
      servers: SERVERS,
      rounds: 3,
      rows: [ROW],
      warnings: ['careful'],
    };
    const text = formatReport(report);
    for (const part of [
      '$ zebu-bench get --window 16',
      '2026-01-02T03:04:05.000Z, A CPU, 2 cores, 8 GB, Linux 6, Node v24',
      'ours: a:1, version 1, pid 1: node x',
      'theirs: b:2, version unknown, pid 2',
      '3 rounds',
      'warning: careful',
    ]) {
      expect(text).toContain(part);
    }
  });
});
