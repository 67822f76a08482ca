// A scenario is something that can be done to a server again and again, each time with figures as the
// result. Most are a workload under a closed loop; the other shapes are in files of their own.

import { setTimeout as delay } from 'node:timers/promises';
import type { Target } from './ask-all.ts';
import { ClosedLoop, type RequestSource } from './closed-loop.ts';
import type { OnProgress } from './data-set.ts';
import { type Figures, Meter } from './meter.ts';
import { openConnections } from './raw-connection.ts';
import type { Workload } from './workloads.ts';

/** How long the first answer may be waited for after a measurement that had none. */
const LATE_SECONDS = 30;
const LATE_STEP_SECONDS = 0.1;

/** A target whose use of the machine is measured too. */
export interface MeasuredTarget extends Target {
  readonly label: string;
  readonly pids: readonly number[];
}

export interface Scenario {
  readonly name: string;
  readonly summary: string;
  readonly connections: number;
  /** Requests in flight on each connection; 0 where that says nothing. */
  readonly window: number;
  /** What the rate counts. */
  readonly unit: string;
  prepare(target: Target, onProgress?: OnProgress): Promise<void>;
  run(target: MeasuredTarget, onProgress?: OnProgress): Promise<Figures>;
  cleanUp(target: Target, onProgress?: OnProgress): Promise<void>;
}

export interface LoadSettings {
  readonly connections: number;
  readonly window: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

export class LoadScenario implements Scenario {
  readonly name: string;
  readonly summary: string;
  readonly connections: number;
  readonly window: number;
  readonly unit = 'requests';
  private readonly workload: Workload;
  private readonly settings: LoadSettings;
  private readonly sources = new Map<Target['addresses'], RequestSource>();

  constructor(workload: Workload, settings: LoadSettings) {
    this.name = workload.name;
    this.summary = workload.summary;
    this.connections = settings.connections;
    this.window = settings.window;
    this.workload = workload;
    this.settings = settings;
  }

  async prepare(target: Target, onProgress?: OnProgress): Promise<void> {
    this.sources.set(target.addresses, await this.workload.prepare(target, onProgress));
  }

  /** Throws when a connection is lost or every request fails. */
  async run(target: MeasuredTarget, onProgress?: OnProgress): Promise<Figures> {
    const source = this.sources.get(target.addresses);
    if (source === undefined) throw new Error('A scenario runs only on what it has prepared');
    const { scratch } = target;
    const { window, seconds, warmUpSeconds } = this.settings;
    const connections = await openConnections(target.addresses, this.connections, { scratch });
    const loop = new ClosedLoop({ connections, window, source, scratch });
    const meter = new Meter(target.pids);
    try {
      loop.start();
      await untilEnd(loop, warmUpSeconds);
      loop.startMeasuring();
      meter.restart();
      for (let second = 0; second < seconds; second++) {
        onProgress?.(this.name, second, seconds);
        await untilEnd(loop, Math.min(1, seconds - second));
      }
      // On a busy machine a short measurement may end before the first answer: it goes on until there is one.
      for (let late = 0; loop.measured === 0 && late < LATE_SECONDS; late += LATE_STEP_SECONDS) {
        await untilEnd(loop, LATE_STEP_SECONDS);
      }
      loop.stopMeasuring();
      const count = loop.measured;
      const measured = meter.read(count);
      await loop.stop();
      if (count === 0) throw new Error(`No answer in ${measured.seconds.toFixed(1)} s`);
      if (loop.measuredErrors === count) throw new Error(`All failed: ${loop.errorText()}`);
      const named = source.kinds.map((kind, index) => [kind, loop.latencies[index]?.summary()]);
      return {
        rate: count / measured.seconds,
        count,
        errors: loop.measuredErrors,
        seconds: measured.seconds,
        latency: Object.fromEntries(named),
        usage: measured.usage,
      };
    } finally {
      await Promise.all(connections.map((connection) => connection.close()));
    }
  }

  async cleanUp(target: Target, onProgress?: OnProgress): Promise<void> {
    await this.workload.cleanUp(target, onProgress);
  }
}

/** Waits, unless the loop breaks first. */
async function untilEnd(loop: ClosedLoop, seconds: number): Promise<void> {
  const controller = new AbortController();
  const waiting = delay(seconds * 1000, undefined, { signal: controller.signal });
  waiting.catch(() => {});
  try {
    await Promise.race([waiting, loop.finished()]);
  } finally {
    controller.abort();
  }
}
