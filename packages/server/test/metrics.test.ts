import { describe, expect, test } from 'vitest';
import { type ServerGauges, ServerMetrics } from '../src/metrics/metrics.ts';
import { javaDouble, monitorValues } from '../src/metrics/monitor.ts';
import {
  MAX_KEYS,
  OTHER_KEY,
  PercentileSummary,
  Summary,
  SummarySet,
} from '../src/metrics/summary.ts';

describe('Summary', () => {
  test('knows count, sum, least, greatest and average', () => {
    const summary = new Summary();
    expect([summary.least, summary.greatest, summary.average]).toEqual([0, 0, 0]);
    for (const value of [3, 1, 1]) summary.add(value);
    expect(summary).toMatchObject({ count: 3, sum: 5, least: 1, greatest: 3, average: 1.6667 });
    summary.reset();
    expect(summary).toMatchObject({ count: 0, sum: 0, least: 0, greatest: 0, average: 0 });
  });
});

describe('PercentileSummary', () => {
  test('is exact while the reservoir holds every value', () => {
    const summary = new PercentileSummary();
    expect(summary.percentiles([0.5, 0.99])).toEqual([0, 0]);
    for (let value = 1; value <= 100; value++) summary.add(value);
    expect(summary.percentiles([0.5, 0.95, 0.99, 0.999])).toEqual([51, 96, 100, 100]);
    summary.reset();
    expect(summary.percentiles([0.5])).toEqual([0]);
  });

  test('stays close beyond it', () => {
    const summary = new PercentileSummary();
    for (let value = 1; value <= 200_000; value++) summary.add(value);
    const [median, p95] = summary.percentiles([0.5, 0.95]) as [number, number];
    expect(Math.abs(median - 100_000)).toBeLessThan(8000);
    expect(Math.abs(p95 - 190_000)).toBeLessThan(4000);
    expect(summary.greatest).toBe(200_000);
  });
});

describe('SummarySet', () => {
  test('keeps one summary for each key, also over a reset', () => {
    const set = new SummarySet(() => new Summary());
    const summary = set.of('a');
    summary.add(3);
    set.of('b').add(4);
    expect([...set.entries()].map(([key, { sum }]) => [key, sum])).toEqual([
      ['a', 3],
      ['b', 4],
    ]);
    set.reset();
    expect(set.of('a')).toBe(summary);
    expect(summary.sum).toBe(0);
  });

  test('sums what comes under too many keys as one', () => {
    const set = new SummarySet(() => new Summary());
    for (let i = 0; i < MAX_KEYS + 10; i++) set.of(`key ${i}`).add(1);
    const entries = [...set.entries()];
    expect(entries).toHaveLength(MAX_KEYS + 1);
    expect(entries.at(-1)).toMatchObject([OTHER_KEY, { sum: 10 }]);
  });
});

// Printed by Java 17.
test.each<[number, string]>([
  [0, '0.0'],
  [1, '1.0'],
  [1.25, '1.25'],
  [0.0001, '1.0E-4'],
  [1e-5, '1.0E-5'],
  [123456.789, '123456.789'],
  [1e7, '1.0E7'],
  [12345678.9, '1.23456789E7'],
  [9999999.5, '9999999.5'],
  [0.02, '0.02'],
  [-1, '-1.0'],
])('%d is %s', (value, text) => {
  expect(javaDouble(value)).toBe(text);
});

const gauges = {
  aliveConnections: 0,
  outstandingRequests: 0,
  uptimeMs: 0,
  znodeCount: 5,
  watchCount: 0,
  ephemeralsCount: 0,
  approximateDataSize: 0,
  sessions: 0,
  openFileDescriptors: 0,
  maxFileDescriptors: 0,
  connectionDropProbability: 0,
  outstandingTlsHandshakes: 0,
  ensemble: {
    peerState: 'leading - broadcast',
    observerMasterSid: undefined,
    quorumSize: 3,
    linkWrites: 0,
    leader: {
      learners: 0,
      syncedFollowers: 0,
      syncedNonVotingFollowers: 0,
      syncedObservers: 0,
      pendingSyncs: 0,
      uptimeMs: 0,
    },
  },
};

describe('ServerMetrics', () => {
  test('reset sets back what srst does, and keeps what is no count of work', () => {
    const metrics = new ServerMetrics();
    metrics.answered(7);
    metrics.responded(100);
    metrics.commits = 3;
    metrics.readLatency.add(2);
    metrics.addQuotaExceeded('app');
    metrics.authFailed = 1;
    metrics.peerLinkTxns = 2;
    metrics.elections = 1;
    metrics.ackLatency.of('2').add(3);
    metrics.reset();
    const fresh = new ServerMetrics();
    fresh.authFailed = 1;
    fresh.peerLinkTxns = 2;
    fresh.ackLatency.of('2');
    expect(values(metrics)).toEqual(values(fresh));
  });

  test('every name is there once', () => {
    const names = values(new ServerMetrics()).map(([name]) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain('avg_fsynctime');
    expect(names).toContain('p999_updatelatency');
    expect(names).toContain('digest_mismatches_count');
  });

  test.each(Object.keys(new ServerMetrics()) as (keyof ServerMetrics)[])(
    'what is counted as %s is shown',
    (field) => {
      const metrics = new ServerMetrics();
      const counted = metrics[field];
      if (counted instanceof Summary) counted.add(12_345);
      else if (counted instanceof SummarySet) counted.of('app').add(12_345);
      else if (counted instanceof Map) counted.set('app', 12_345);
      else Object.assign(metrics, { [field]: 12_345 });
      expect(values(metrics)).not.toEqual(values(new ServerMetrics()));
    },
  );

  test('a server on its own prints no figure of an ensemble, and a learner none of a leader', () => {
    const ensemble = gauges.ensemble;
    const names = (of: ServerGauges) =>
      [...monitorValues({ metrics: new ServerMetrics(), gauges: of, quotas: [] })].map(
        ([name]) => name,
      );
    const alone = names({ ...gauges, ensemble: undefined });
    const learner = names({ ...gauges, ensemble: { ...ensemble, leader: undefined } });
    const leader = names(gauges);
    expect(alone).not.toContain('quorum_size');
    expect(learner).toContain('quorum_size');
    expect(learner).not.toContain('synced_followers');
    expect(leader).toContain('synced_followers');
  });

  test('sizes of replies start unknown', () => {
    const metrics = new ServerMetrics();
    expect(values(metrics)).toContainEqual(['min_client_response_size', '-1']);
    for (const bytes of [20, 10, 30]) metrics.responded(bytes);
    expect(metrics).toMatchObject({
      lastResponseBytes: 30,
      minResponseBytes: 10,
      maxResponseBytes: 30,
    });
  });

  function values(metrics: ServerMetrics) {
    return [...monitorValues({ metrics, gauges, quotas: [] })];
  }
});
