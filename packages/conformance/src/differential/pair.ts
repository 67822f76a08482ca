// The two servers of a run: started for it, each on a directory of its own, and stopped with it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApache } from '../apache.ts';
import { startZebu } from '../zebu.ts';
import { EDGE_ZNODES, writeEdgeData } from './edge-data.ts';
import { type Embedded, startEmbedded } from './embedded.ts';
import { type Profile, serverOptions } from './profile.ts';
import type { Pair, Subject } from './run.ts';

/** `apache`, `zebu`, `embedded`, or `host:port` of a server that runs already. */
export interface Kinds {
  readonly reference: string;
  readonly subject: string;
}

/** Runs `use` with two fresh servers. */
export async function withPair<T>(
  profile: Profile,
  kinds: Kinds,
  use: (pair: Pair) => Promise<T>,
): Promise<T> {
  await using started = new AsyncDisposableStack();
  const serverOf = async (kind: string, name: string): Promise<Subject> => {
    const colon = kind.lastIndexOf(':');
    if (colon >= 0) {
      return { name, host: kind.slice(0, colon), port: Number(kind.slice(colon + 1)) };
    }
    const folder = started.adopt(mkdtempSync(join(tmpdir(), 'zebu-differential-')), removeFolder);
    if (profile.edgeData) writeEdgeData(join(folder, 'data'));
    const { port, dataDir } = started.use(await start(kind, profile, join(folder, 'data')));
    return { name, host: '127.0.0.1', port, dataDir };
  };
  const [reference, subject] = await Promise.all([
    serverOf(kinds.reference, 'apache'),
    serverOf(kinds.subject, kinds.subject === 'apache' ? 'apache 2' : 'zebu'),
  ]);
  // Awaited here: the servers end when this function does.
  return await use({
    reference,
    subject,
    ...(profile.edgeData ? { baseTree: EDGE_ZNODES } : {}),
  });
}

async function start(kind: string, profile: Profile, dataDir: string): Promise<Embedded> {
  if (kind === 'embedded') return startEmbedded(profile, dataDir);
  const options = { ...serverOptions(profile), dataDir };
  return kind === 'apache' ? startApache(options) : startZebu(options);
}

async function removeFolder(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
}
