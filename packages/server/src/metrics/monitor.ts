// The lines of `mntr` from the table of metrics, under the names of Apache's DefaultMetricsProvider:
//
//   counter, gauge               name
//   summary                      avg_name, min_name, max_name, cnt_name, sum_name
//   ... with percentiles         and p50_name, p95_name, p99_name, p999_name
//   counter set, gauge set       key_name
//   summary set                  avg_key_name ...
//   ... with percentiles         and p50_key_name ...

import { METRICS, type MetricSource } from './metric-table.ts';
import type { PercentileSummary, Summary } from './summary.ts';

type Line = readonly [name: string, value: string];

/** Everything in the table, numbers as `mntr` prints them. */
export function* monitorValues(source: MetricSource): Generator<Line> {
  const { ensemble } = source.gauges;
  for (const metric of METRICS) {
    const { name, of } = metric;
    if (of === 'ensemble' && ensemble === undefined) continue;
    if (of === 'leader' && ensemble?.leader === undefined) continue;
    switch (metric.kind) {
      case 'counter':
      case 'gauge': {
        const value = metric.read(source);
        if (value === undefined) break;
        yield [name, metric.isReal ? javaDouble(value) : `${value}`];
        break;
      }
      case 'summary':
        yield* summaryLines(name, metric.read(source));
        break;
      case 'summary with percentiles': {
        const summary = metric.read(source);
        yield* summaryLines(name, summary);
        yield* percentileLines(name, summary);
        break;
      }
      case 'counter set':
      case 'gauge set':
        for (const [key, value] of metric.read(source)) yield [`${key}_${name}`, `${value}`];
        break;
      case 'summary set':
        for (const [key, summary] of metric.read(source)) {
          yield* summaryLines(`${key}_${name}`, summary);
        }
        break;
      case 'summary set with percentiles':
        for (const [key, summary] of metric.read(source)) {
          yield* summaryLines(`${key}_${name}`, summary);
          yield* percentileLines(`${key}_${name}`, summary);
        }
        break;
    }
  }
}

function* summaryLines(name: string, summary: Summary): Generator<Line> {
  yield [`avg_${name}`, javaDouble(summary.average)];
  yield [`min_${name}`, `${summary.least}`];
  yield [`max_${name}`, `${summary.greatest}`];
  yield [`cnt_${name}`, `${summary.count}`];
  yield [`sum_${name}`, `${summary.sum}`];
}

function* percentileLines(name: string, summary: PercentileSummary): Generator<Line> {
  const [p50, p95, p99, p999] = summary.percentiles([0.5, 0.95, 0.99, 0.999]);
  yield [`p50_${name}`, `${p50}`];
  yield [`p95_${name}`, `${p95}`];
  yield [`p99_${name}`, `${p99}`];
  yield [`p999_${name}`, `${p999}`];
}

/** A number as Java's Double.toString writes it: `0.0`, `1.25`, `1.0E-4`, `1.2E7`. */
export function javaDouble(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) {
    const [digits, exponent] = value.toExponential().split('e') as [string, string];
    return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`;
  }
  const text = `${value}`;
  return text.includes('.') ? text : `${text}.0`;
}
