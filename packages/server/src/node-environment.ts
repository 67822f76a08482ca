// The environment of a real process.

import { NodeDisk } from '@zebu/storage';
import { nodeNetwork } from '@zebu/transport';
import type { Environment } from './environment.ts';
import { type Logger, silentLogger } from './logger.ts';

/** How it reaches clients: see the settings of these names. */
export interface TransportChoice {
  readonly transport?: 'auto' | 'sockets';
  readonly eventThread?: boolean;
}

export function nodeEnvironment(
  logger: Logger = silentLogger,
  { transport = 'auto', eventThread = true }: TransportChoice = {},
): Environment {
  return {
    clock: { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
    scheduler: {
      // The check phase: after every socket that is readable now has been read, so that one
      // write to the log takes all that arrived together, and nothing waits for more.
      afterTurn: (task) => {
        setImmediate(task);
      },
      every: (intervalMs, task) => {
        const timer = setInterval(task, intervalMs);
        timer.unref();
        return () => clearInterval(timer);
      },
      after: (delayMs, task) => {
        const timer = setTimeout(task, delayMs);
        timer.unref();
        return () => clearTimeout(timer);
      },
    },
    disk: new NodeDisk(),
    network: nodeNetwork({
      publicApiOnly: transport === 'sockets',
      ...(eventThread ? {} : { fanOutThread: false }),
      warn: (message, details) => logger.warn(message, details),
    }),
    logger,
    random: () => Math.random(),
  };
}
