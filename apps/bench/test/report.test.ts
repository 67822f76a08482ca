import { describe, expect, it } from 'vitest';
import type { Figures, Usage } from '../src/meter.ts';
import { formatMarkdown, formatReport, type Report, warningsFor } from '../src/report.ts';
import type { Row } from '../src/rounds.ts';
import { markdownTable, tableOf } from '../src/wide-table.ts';

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
    const lines = markdownTable(tableOf([ROW])).split('\n');
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
    ['answers were errors, up to 3 in a round', figures(1, { errors: 3 })],
  ])('warns: %s', (text, round) => {
    expect(warn(round)).toEqual([expect.stringContaining(text)]);
  });

  it('says once what spoils many rows, and how', () => {
    const busy = figures(1, {}, { otherCores: 0.4 });
    const busier = figures(1, {}, { otherCores: 0.7 });
    const rows = Array.from({ length: 17 }, (_, index) => ({
      scenario: { ...scenario, connections: index + 1 },
      sides: [{ label: 'ours', rounds: [index === 3 ? busier : busy] }],
    }));
    const [warning, ...others] = warningsFor(rows, SERVERS);
    expect(others).toEqual([]);
    expect(warning).toContain('with up to 0.70 cores, in 17 of 17 measurements');
    expect(warning).toContain('rates are too low');
    expect(warning).toContain('get 1x16 on ours');
    expect(warning).toContain('and 13 more');
  });

  it('warns when it cannot tell, for want of a pid', () => {
    const [server] = SERVERS;
    expect(warningsFor([], [{ ...(server as (typeof SERVERS)[0]), pids: [] }])).toEqual([
      expect.stringContaining('pid unknown'),
    ]);
  });
});

const REPORT: Report = {
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
  notes: ['ratios: so so'],
};

describe('formatReport', () => {
  it('says the command, the machine, the versions and the rounds', () => {
    const text = formatReport(REPORT);
    for (const part of [
      '$ zebu-bench get --window 16',
      '2026-01-02T03:04:05.000Z, A CPU, 2 cores, 8 GB, Linux 6, Node v24',
      'ours: a:1, version 1, pid 1: node x',
      'theirs: b:2, version unknown, pid 2',
      'rounds: 3; each figure is their median',
      'ratios: so so',
      'warning: careful',
    ]) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain('incomplete');
  });

  it('says that a run ended early, and why', () => {
    const text = formatReport({ ...REPORT, failure: 'ours: connection lost' });
    expect(text).toContain('incomplete: the run ended early (ours: connection lost)');
    expect(text).toContain('get 64x16');
    expect(formatMarkdown({ ...REPORT, failure: 'lost' })).toContain('ended early (lost)');
  });

  it('keeps its table and its remarks within 99 columns, however large the figures', () => {
    const latency = { p50Ms: 12_345, p99Ms: 23_456, p999Ms: 34_567, maxMs: 98_765 };
    const round = (rate: number) =>
      figures(
        rate,
        { latency: { getChildren: latency, setData: latency } },
        { serverCpuUs: 2345.67, rssBytes: 99_999 * 2 ** 20, peakBytes: 99_999 * 2 ** 20 },
      );
    const label = 'a-member-of-the-ensemble.example.org:2181';
    const sides = [label, `other-${label}`].map((name) => ({
      label: name,
      rounds: [round(1_234_567), round(9_999_999)],
    }));
    const rows = [1, 2].map((count) => ({
      scenario: { ...scenario, name: 'children', connections: 10_000 },
      sides: sides.slice(0, count),
    }));
    const long = 'a sentence of many words '.repeat(20).trim();
    const text = formatReport({ ...REPORT, rows, notes: [long], warnings: [long] });
    const table = text.slice(text.indexOf('per sec'));
    for (const line of table.split('\n')) expect(line.length).toBeLessThan(100);
    expect(table).toContain('1,234,567-9,999,999');
  });

  it('shows medians, the spread of the rates, and the ratios of the pairs', () => {
    const text = formatReport(REPORT);
    expect(text).toMatch(/^ {2}ours +1,000 +900-1,100 /m);
    expect(text).toMatch(/^ {2}theirs +500 +300-500 /m);
    expect(text).toMatch(/^ {2}ratio +2\.20 +2\.00-3\.00 /m);
  });

  it('puts the figures of one server beside the name of the row', () => {
    const [ours] = ROW.sides;
    const rows = [{ scenario, sides: ours === undefined ? [] : [ours] }];
    expect(formatReport({ ...REPORT, rows })).toMatch(/^get 64x16 +1,000 +900-1,100 /m);
  });
});
