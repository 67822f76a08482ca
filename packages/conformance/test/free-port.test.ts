import { expect, test } from 'vitest';
import { freePort } from '../src/server-process.ts';

test('a free port is given out once, also before anything listens on it', async () => {
  const ports = await Promise.all(Array.from({ length: 2000 }, () => freePort()));
  expect(new Set(ports).size).toBe(ports.length);
});
