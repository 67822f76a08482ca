// Clients that come and go: a number of them at a time connect, get a session, end it, and start over.
// The latency is that of the handshake, from connect() until the session is granted.

import type { Target } from './ask-all.ts';
import type { OnProgress } from './data-set.ts';
import { Histogram } from './histogram.ts';
import { type Figures, Meter } from './meter.ts';
import { RawConnection } from './raw-connection.ts';
import type { MeasuredTarget, Scenario } from './scenario.ts';
import type { Address } from './server-info.ts';

export interface StormSettings {
  readonly connections: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

export class StormScenario implements Scenario {
  readonly name = 'connect';
  readonly summary = 'connect, get a session, close it';
  readonly connections: number;
  readonly window = 0;
  readonly unit = 'sessions';
  private readonly settings: StormSettings;

  constructor(settings: StormSettings) {
    this.connections = settings.connections;
    this.settings = settings;
  }

  async prepare(_target: Target): Promise<void> {}

  async run(target: MeasuredTarget, onProgress?: OnProgress): Promise<Figures> {
    const { seconds, warmUpSeconds } = this.settings;
    const { addresses, scratch } = target;
    const latency = new Histogram();
    const meter = new Meter(target.pids);
    const beginMs = performance.now() + warmUpSeconds * 1000;
    const endMs = beginMs + seconds * 1000;
    let isWarm = false;
    const comeAndGo = async (client: number) => {
      for (let turn = client; ; turn++) {
        const startMs = performance.now();
        if (startMs >= endMs) return;
        if (!isWarm && startMs >= beginMs) {
          isWarm = true;
          meter.restart();
        }
        const address = addresses[turn % addresses.length] as Address;
        const connection = await RawConnection.open(address, { scratch });
        if (startMs >= beginMs) latency.record(performance.now() - startMs);
        onProgress?.(this.name, Math.max(0, startMs - beginMs), seconds * 1000);
        await connection.close();
      }
    };
    await Promise.all(Array.from({ length: this.connections }, (_, client) => comeAndGo(client)));
    const count = latency.count;
    const read = meter.read(count);
    return {
      rate: count / read.seconds,
      count,
      errors: 0,
      seconds: read.seconds,
      latency: { connect: latency.summary() },
      usage: read.usage,
    };
  }

  async cleanUp(_target: Target): Promise<void> {}
}
