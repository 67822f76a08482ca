// Foreign clients on an ensemble of three zebu members: the long session that they have with one server, with the
// connect string of all three. Where a script has its server stopped or killed, the leader and one follower go, so that
// no quorum is left until they are started again. The members that the sessions are connected to may lag behind each
// other, so that a transcript differs from that of one server in what one session sees of another without a sync: the
// script must come to its end, and print the lines that cannot differ.

import { expect } from 'vitest';
import { curatorScript, goScript, kazooScript, npmScript } from '../../src/foreign-clients.ts';
import { MixedEnsemble } from '../../src/mixed-ensemble.ts';
import type { Tool } from '../../src/tools.ts';
import { runScript, type Script } from '../../src/transcript.ts';
import { interopTest, SUPER } from '../support.ts';

interface ForeignClient {
  readonly tool: Tool;
  readonly script: (servers: string) => Script;
  /** In this order, other lines between them. */
  readonly prints: readonly string[];
}

const CLIENTS: Record<string, ForeignClient> = {
  kazoo: {
    tool: 'kazoo',
    script: kazooScript,
    prints: [
      '## connect',
      "locking b'x' True True b'y' True 1",
      'double barrier passed [False, False] []',
      '## reconnect to a restarted server',
      'ephemeral survived -> True',
      '## killed under a session: what was acknowledged is there',
      "data -> b'after'",
      'ephemeral survived -> True',
      'same session True',
      "sequence goes on -> '/a/seq-0000000020'",
      '2000 creates /async/n0000 /async/n1999 True',
      'in order True',
      '2000 deletes True 4000',
      'after stop !! ConnectionClosedError',
    ],
  },
  curator: {
    tool: 'curator',
    script: curatorScript,
    prints: [
      '## framework',
      '## InterProcessMutex',
      '30 turns, overlaps 0 ',
      '## the server restarts',
      'ephemeral survived -> stat(version=0 cversion=0 aversion=0 ephemeral=true length=9 children=0 changed=false)',
      'ephemeral survived -> stat(version=0 cversion=0 aversion=0 ephemeral=true length=9 children=0 changed=false)',
      '## expiry',
      'lost true',
    ],
  },
  'go-zookeeper': {
    tool: 'go',
    script: goScript,
    prints: [
      '## basics',
      'create /a !! zk: node already exists',
      'get /creator of another !! zk: not authenticated',
      'a version that is not -> ',
      'data watch -> EventNodeDataChanged',
      'ephemeral went -> EventNodeDeleted',
      '30 turns, overlaps 0',
      '## the server restarts',
      'exists /kept -> true true',
      'same session true',
      'exists /kept -> true true',
      'same session true',
      'data watch set again -> EventNodeDataChanged',
      'exists watch set again -> EventNodeCreated',
      'sequence goes on -> /a/seq-0000000007',
      'created 1000',
      'deleted 1000',
      'get after close !! zk: connection closed',
    ],
  },
  'node-zookeeper-client': {
    tool: 'npm',
    script: (servers) => npmScript('node-zookeeper-client', servers),
    prints: [
      '## basics',
      "create /a 'one' !! NODE_EXISTS -110",
      'after a failed auth true',
      '## watches',
      'data watch fires once -> NODE_DATA_CHANGED /w',
      'ephemeral went -> NODE_DELETED /w/eph',
      '## the server restarts',
      'same session true',
      'exists /kept -> stat(',
      'watches were set again -> ',
      'exists /kept -> stat(',
      'expired true',
      'created 1000 /many/n999',
      'in order true',
      'removed 1000',
    ],
  },
  zookeeper: {
    tool: 'npm',
    script: (servers) => npmScript('zookeeper', servers),
    prints: [
      '## basics',
      'a_create /a one 0 -> -110',
      '## watches',
      'data watch fires once -> ',
      'ephemeral went -> ',
      '## the server restarts',
      'same session true',
      'a_exists /kept false -> 0',
      'watches were set again -> ',
      'a_exists /kept false -> 0',
      'created 1000 /many/n999',
      'removed 1000',
      'closed true',
    ],
  },
};

const CONFIG = {
  extendedTypesEnabled: 'true',
  'DigestAuthenticationProvider.superDigest': SUPER,
  // Containers and TTL nodes go within the session.
  'znode.container.checkIntervalMs': '200',
};

for (const [name, { tool, script, prints }] of Object.entries(CLIENTS)) {
  const title = `${name} has its session with three members, of which two are stopped, and killed`;
  interopTest(title, [tool], 300_000, async () => {
    const lines = (await withThree(script)).split('\n');
    let from = 0;
    for (const expected of prints) {
      const at = lines.findIndex((line, n) => n >= from && line.startsWith(expected));
      expect(at, `"${expected}" after line ${from} of:\n${lines.join('\n')}`).not.toBe(-1);
      from = at + 1;
    }
  });
}

async function withThree(script: (servers: string) => Script): Promise<string> {
  await using ensemble = await MixedEnsemble.make({ voters: 3, config: CONFIG });
  await ensemble.startAll({ 1: 'zebu', 2: 'zebu', 3: 'zebu' });
  let down: number[] = [];
  return await runScript(script(ensemble.connectString()), async (order) => {
    if (order === 'start') {
      await ensemble.startAll(Object.fromEntries(down.map((sid) => [sid, 'zebu' as const])));
      return;
    }
    if (order !== 'stop' && order !== 'kill') throw new Error(`Unknown order: ${order}`);
    const leader = await ensemble.leader();
    down = [leader, (leader % 3) + 1];
    const signal = order === 'kill' ? 'SIGKILL' : 'SIGTERM';
    await Promise.all(down.map((sid) => ensemble.stop(sid, signal)));
  });
}
