// `zebu top`: the table by itself, and on a terminal beside an ensemble that loses a member.

import { connect } from '@zebu/client';
import { type Ensemble, startEnsemble } from '@zebu/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSample } from '../src/member-sample.ts';
import { leadershipText, topRows, topScreen } from '../src/top-screen.ts';
import { ZEBU_COMMAND, ZebuRunner } from './run-zebu.ts';
import { Terminal, whyNoTerminal } from './terminal.ts';

const host = (text: string) => ({ host: text, port: 2181, text });

function srvr(fields: { mode: string; zxid: string; received: number }): string {
  return `Zookeeper version: 3.9.5\nLatency min/avg/max: 0/1.25/17\nReceived: ${fields.received}\nSent: 1\nConnections: 4\nOutstanding: 2\nZxid: ${fields.zxid}\nMode: ${fields.mode}\nNode count: 9\n`;
}

test('rates are requests between two looks, lag is txns behind the farthest member', () => {
  const at = (atMs: number, zxids: string[], received: number) =>
    zxids.map((zxid, index) => ({
      ...readSample(
        host(`zk${index + 1}`),
        srvr({ mode: index === 0 ? 'leader' : 'follower', zxid, received }),
        index === 0 ? 'zk_global_sessions\t12\nzk_watch_count\t7\n' : '',
      ),
      atMs,
    }));
  const before = at(1000, ['0x100000001', '0x100000001', '0xff'], 100);
  const now = at(3000, ['0x10000000a', '0x100000007', '0xff'], 500);
  const lines = topScreen(topRows(now, before), {
    title: 'title',
    columns: 200,
    emphasize: (_, line) => line,
  });
  expect(lines.join('\n')).toMatchInlineSnapshot(`
    "title

    SERVER  ROLE      ZXID           LAG  CONNS  SESSIONS  REQ/S  AVG MS  MAX MS  QUEUE  WATCHES  ZNODES
    zk1     leader    0x10000000a      0      4        12    200    1.25      17      2        7       9
    zk2     follower  0x100000007      3      4         -    200    1.25      17      2        -       9
    zk3     follower  0xff         1 ep.      4         -    200    1.25      17      2        -       9"
  `);
});

test('a member that serves nobody, or refuses the word, says so in place of figures', () => {
  const silent = readSample(
    host('zk1'),
    'This ZooKeeper instance is not currently serving requests\n',
    '',
  );
  const refused = readSample(
    host('zk2'),
    'srvr is not executed because it is not in the whitelist.\n',
    '',
  );
  expect([silent.role, refused.role]).toEqual(['not serving', 'unknown']);
  const rows = topRows([silent, refused], []);
  const lines = topScreen(rows, { title: '', columns: 60, emphasize: (_, line) => line });
  expect(lines.every((line) => line.length <= 60)).toBe(true);
  expect(lines[3]).toMatch(/^zk1 +not serving +This ZooKeeper instance/);
});

test('who leads: a server on its own leads nobody, and two leaders are told', () => {
  const rows = (...modes: string[]) =>
    topRows(
      modes.map((mode, index) =>
        readSample(host(`zk${index + 1}`), srvr({ mode, zxid: '0x1', received: 1 }), ''),
      ),
      [],
    );
  expect(leadershipText(rows('follower', 'leader'))).toBe('zk2 leads');
  expect(leadershipText(rows('standalone'))).toBe('zk1 is on its own');
  expect(leadershipText(rows('standalone', 'standalone'))).toBe('2 are each on their own');
  expect(leadershipText(rows('leader', 'follower', 'leader'))).toBe('zk1 and zk3 lead');
  expect(leadershipText(rows('leader', 'standalone'))).toBe('zk1 leads, zk2 is on its own');
  expect(leadershipText(rows('follower'))).toBe('nobody leads');
});

let ensemble: Ensemble;
let zebu: ZebuRunner;
beforeAll(async () => {
  ensemble = await startEnsemble({ members: 3 });
  zebu = new ZebuRunner(ensemble.connectString);
}, 120_000);
afterAll(async () => {
  zebu[Symbol.dispose]();
  await ensemble.close();
});

test('in a pipe it looks twice and prints the table, or JSON', async () => {
  // A leader's zxid is that of its epoch until there is a txn.
  await using zk = await connect(ensemble.connectString);
  await zk.create('/first');
  for (const id of ensemble.ids) {
    await expect
      .poll(() => ensemble.lastZxidOf(id), { timeout: 30_000 })
      .toBe(ensemble.lastZxidOf(ensemble.leader as number));
  }
  const rows = (await zebu.run(['top', '--interval', '1ms', '--json'])).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows.map(({ role }) => role).sort()).toEqual(['follower', 'follower', 'leader']);
  expect(rows.map(({ lag }) => lag)).toEqual(['0', '0', '0']);
  expect((await zebu.run(['top', '--interval', '1ms'])).stdout).toMatch(/: 3 of 3 serve, /);
});

describe.skipIf(whyNoTerminal !== undefined)('on a terminal', () => {
  test('roles and figures follow the ensemble; a narrow window cuts; q restores the screen', async () => {
    using terminal = new Terminal([...ZEBU_COMMAND, 'top', '--interval', '200ms'], {
      env: zebu.env,
      columns: 120,
    });
    await terminal.until(/3 of 3 serve/);
    await using zk = await connect(ensemble.connectString);
    await zk.create('/seen');
    const leader = ensemble.leader as number;
    // Rates are counted: they move with the requests.
    let isAsking = true;
    const asking = (async () => {
      while (isAsking) await zk.exists('/seen');
    })();
    await terminal.until(/(?:leader|follower)(?: +\S+){4} +\d{2,}\.?\d* /);
    isAsking = false;
    await asking;
    const shown = await terminal.until(/leader/);
    expect(shape(shown)).toMatchInlineSnapshot(`
      "MEMBER follower # # # - # # # # - #
      MEMBER follower # # # - # # # # - #
      MEMBER leader # # # - # # # # - #
      MEMBER,MEMBER,MEMBER: # of # serve, MEMBER leads
      SERVER ROLE ZXID LAG CONNS SESSIONS REQ/S AVG MS MAX MS QUEUE WATCHES ZNODES
      q leaves"
    `);
    const follower = ensemble.ids.find((id) => id !== leader) as number;
    await ensemble.kill(follower);
    await terminal.until(/2 of 3 serve/);
    expect(terminal.screen()).toMatch(/ down +\S+/);
    await ensemble.start(follower);
    await terminal.until(/3 of 3 serve/);
    terminal.resize(50, 10);
    const narrow = await terminal.until((screen) =>
      screen.split('\n').every((line) => line.length <= 50),
    );
    expect(narrow).toContain('q leaves');
    terminal.type('q');
    await terminal.ended();
    expect(terminal.exitCode).toBe(0);
    expect(terminal.screen()).not.toContain('SERVER');
  });
});

/** Without figures, and with the members in the order of their roles. */
function shape(screen: string): string {
  return screen
    .split('\n')
    .map((line) =>
      line
        .replaceAll(/127\.0\.0\.1:\d+/g, 'MEMBER')
        .replaceAll(/0x[0-9a-f]+|\d+\.\d+|(?<= )\d+(?= |$)/g, '#')
        .replaceAll(/ +/g, ' ')
        // A follower that has seen no txn of this epoch yet.
        .replace('# ep.', '#'),
    )
    .sort()
    .join('\n')
    .trim();
}

test('when no member answers it says so of each, and ends as a command without a server does', async () => {
  using down = new ZebuRunner('127.0.0.1:1');
  const { code, stdout } = await down.run(['top', '--interval', '1ms', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ role: 'down' });
  expect(code).toBe(3);
});
