// @zebu/client against Apache's server.

import { startApache } from '../../src/index.ts';
import { interopTest } from '../support.ts';
import { runScenario, scenarios } from './scenarios.ts';

interopTest('@zebu/client is served by Apache', ['apache'], 120_000, async () => {
  await using server = await startApache();
  for (const scenario of scenarios) {
    try {
      await runScenario(`127.0.0.1:${server.port}`, scenario);
    } catch (error) {
      throw new Error(scenario.name, { cause: error });
    }
  }
});
