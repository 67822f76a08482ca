// Every snapshot on the disk, with the log after it, leads to the same state as the log alone.
//
// The snapshots are fuzzy: this is where a rule of replay that does not converge shows.

import { formatZxid } from '@zebu/protocol';
import { defaultServerConfig } from '@zebu/server';
import { Database } from '@zebu/server/internal';
import { type Disk, openDataDirectory, recover, snapshotFiles } from '@zebu/storage';
import { compareTree } from '../tree-dump.ts';
import { withDisk } from '../txn-log-tap.ts';
import { demand } from '../violation.ts';
import type { MakeChecker } from './checker.ts';

const NAME = 'replay';

export const replay: MakeChecker = ({ oracle }) => {
  const config = defaultServerConfig({ extendedTypesEnabled: true });
  /**
   * By name of the snapshot, the zxid up to which it led where the log alone leads. While the log keeps all
   * txns up to there, what comes after is applied to equal trees: it need not be replayed again.
   */
  let proven = new Map<string, number>();
  return {
    name: NAME,

    serving({ disk, dataDir, dataLogDir, zxid }) {
      const directory = openDataDirectory({ disk, dataDir, dataLogDir });
      const snapshots = snapshotFiles(disk.list(directory.snapshotDirectory));
      const stillProven = new Map<string, number>();
      for (const snapshot of snapshots) {
        const provenZxid = proven.get(snapshot.name);
        if (provenZxid !== undefined && provenZxid <= zxid) {
          stillProven.set(snapshot.name, provenZxid);
          continue;
        }
        const steps = recover({
          disk: onlySnapshot(disk, snapshot.name),
          directory,
          createTarget: () => new Database(config, 0),
          repair: false,
        });
        let step = steps.next();
        while (!step.done) step = steps.next();
        const { target, zxid: reached } = step.value;
        demand(
          reached === zxid,
          NAME,
          () => `${snapshot.name} and the log lead to ${formatZxid(reached)}`,
        );
        compareTree(`${NAME} of ${snapshot.name}`, target.tree, oracle.tree, zxid);
        demand(
          target.tree.digestMismatches === 0 && !target.tree.isFuzzy,
          NAME,
          () => `${snapshot.name} and the log: txns lead elsewhere than they say`,
        );
        for (const [id, timeoutMs] of target.sessions) {
          demand(
            oracle.tree.session(id, zxid) === timeoutMs,
            NAME,
            () =>
              `${snapshot.name} and the log give session 0x${id.toString(16)} ${timeoutMs} ms, ` +
              `the log alone ${oracle.tree.session(id, zxid)}`,
          );
        }
        demand(
          target.sessions.size === oracle.tree.sessionIds(zxid).length,
          NAME,
          () => `${snapshot.name} and the log lack sessions`,
        );
        stillProven.set(snapshot.name, zxid);
      }
      proven = stillProven;
    },
  };
};

/** The disk as if there were no other snapshot. */
function onlySnapshot(disk: Disk, name: string): Disk {
  return withDisk(disk, {
    list: (path) =>
      disk.list(path).filter((other) => !other.startsWith('snapshot.') || other === name),
  });
}
