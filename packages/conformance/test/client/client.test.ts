// @zebu/client against zebu, in this process.

import { startServer, type ZebuServer } from '@zebu/server';
import { afterAll, beforeAll, test } from 'vitest';
import { runScenario, scenarios } from './scenarios.ts';

let server: ZebuServer;

beforeAll(async () => {
  server = await startServer({ port: 0 });
});

afterAll(() => server.close());

for (const scenario of scenarios) {
  test(scenario.name, () => runScenario(`127.0.0.1:${server.port}`, scenario));
}
