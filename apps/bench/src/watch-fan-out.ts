// One change, many watchers: N sessions watch one znode, one more sets its data, and the clock runs from
// that send until each watcher has its event.

import { askAll, type Target } from './ask-all.ts';
import { Crowd } from './crowd.ts';
import { type OnProgress, writeCreate } from './data-set.ts';
import { deleteTree } from './delete-tree.ts';
import { Histogram } from './histogram.ts';
import { type Figures, Meter } from './meter.ts';
import { openConnections, type RawConnection } from './raw-connection.ts';
import { Requests } from './requests.ts';
import type { MeasuredTarget, Scenario } from './scenario.ts';

export interface FanOutSettings {
  readonly path: string;
  readonly watchers: number;
  readonly size: number;
  readonly changes: number;
  /** Watch with addWatch, once, instead of with a getData before every change. */
  readonly isPersistent: boolean;
}

export class FanOutScenario implements Scenario {
  readonly name = 'watch';
  readonly summary: string;
  readonly connections: number;
  readonly window = 0;
  readonly unit = 'events';
  private readonly settings: FanOutSettings;
  private readonly znode: string;
  private readonly requests = new Requests();

  constructor(settings: FanOutSettings) {
    const kind = settings.isPersistent ? 'persistent' : 'one-shot';
    this.summary = `one change to ${settings.watchers} ${kind} watchers`;
    this.connections = settings.watchers;
    this.settings = settings;
    this.znode = `${settings.path}/watched`;
  }

  async prepare(target: Target): Promise<void> {
    const paths = [this.settings.path, this.znode];
    await askAll(target, { count: 2, inOrder: true }, (writer, index) =>
      writeCreate(writer, paths[index] as string, new Uint8Array(0)),
    );
  }

  async run(target: MeasuredTarget, onProgress?: OnProgress): Promise<Figures> {
    const { watchers, changes, isPersistent } = this.settings;
    const { scratch, addresses } = target;
    const connections = await openConnections(addresses, watchers, { scratch });
    const [setter] = await openConnections(addresses, 1, { scratch });
    const crowd = new Crowd(connections);
    const latency = new Histogram();
    let seconds = 0;
    // The meter runs through arming too: one change is over sooner than /proc can tell.
    const meter = new Meter(target.pids);
    let usage = meter.read(0).usage;
    try {
      for (let change = 0; change < changes; change++) {
        onProgress?.(this.name, change, changes);
        if (change === 0 || !isPersistent) {
          await crowd.expect('reply', () => {
            for (const connection of connections) this.arm(connection);
          });
        }
        const set = () => this.change(setter as RawConnection);
        seconds += await crowd.expect('event', set, (ms) => latency.record(ms));
      }
      usage = meter.read(watchers * changes).usage;
    } finally {
      await Promise.all([...connections, setter].map((connection) => connection?.close()));
    }
    const count = watchers * changes;
    return {
      rate: count / seconds,
      count,
      errors: 0,
      seconds,
      latency: { event: latency.summary() },
      usage,
    };
  }

  async cleanUp(target: Target): Promise<void> {
    await deleteTree(target, this.znode);
  }

  private arm(connection: RawConnection): void {
    if (this.settings.isPersistent) this.requests.watchPersistently(connection, this.znode);
    else this.requests.get(connection, this.znode, true);
  }

  private change(setter: RawConnection): void {
    this.requests.set(setter, this.znode, new Uint8Array(this.settings.size));
  }
}
