import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { metricsReference, REFERENCE_FILE } from '../scripts/metrics-reference.ts';

test('docs/METRICS.md is what the table of metrics says; its head tells how to write it again', () => {
  expect(readFileSync(REFERENCE_FILE, 'utf8')).toBe(metricsReference());
});
