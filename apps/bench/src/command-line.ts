// What was asked for: parsed, checked and frozen here, once; nobody else looks at process.argv.

import { parseArgs } from 'node:util';
import { type Address, formatAddress, parseAddresses } from './server-info.ts';
import { WORKLOAD_NAMES } from './workloads.ts';

export interface ServerChoice {
  readonly addresses: readonly Address[];
  /** Undefined: to be found by the port, if the server runs on this machine. */
  readonly pids: readonly number[] | undefined;
  readonly label: string;
}

export interface Settings {
  /** A workload, or suite, fill, clean. */
  readonly command: string;
  /** One, or two with --vs. */
  readonly servers: readonly ServerChoice[];
  readonly connections: readonly number[];
  readonly windows: readonly number[];
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly rounds: number;
  readonly path: string;
  readonly keys: number;
  readonly size: number;
  readonly children: number;
  readonly operations: number;
  readonly changes: number;
  readonly isPersistent: boolean;
  readonly fill: number;
  readonly fillSize: number;
  readonly json: string | undefined;
  readonly isMarkdown: boolean;
  readonly zkload: string | undefined;
}

/** The command line cannot be meant that way; the message says why. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const OTHER_COMMANDS = ['watch', 'connect', 'suite', 'fill', 'clean'];

export const USAGE = `Usage: zebu-bench COMMAND [options]

Load on a ZooKeeper server, Apache's or zebu's, or on two in turn.

  get, exists, set, create   one operation
  mixed, or NN               90 (or NN) % getData, the rest setData
  children                   getChildren of a znode with 1,000 children
  multi                      multi of 10 setData
  watch                      one change to many watchers
  connect                    connect, get a session, close it
  suite                      all of these, a table
  fill                       create --keys znodes of --size bytes below --path, and leave them
  clean                      delete --path and all below it

  --server HOST:PORT[,...]   the server, or the members of an ensemble (default 127.0.0.1:2181)
  --pid PID[,...]            its processes; found by the port where they run on this machine
  --label NAME               its name in the report (default: its address)
  --vs HOST:PORT[,...]       a second server; rounds alternate, and ratios are server / vs
  --vs-pid, --vs-label       the same for it
  --connections N[,...]      connections, or watchers (default 64); a row for each
  --window N[,...]           requests in flight on each connection (default 1,16); a row for each
  --seconds N                measured, each round (default 5)
  --warm-up N                seconds before that (default 1)
  --rounds N                 rounds (default 3)
  --path PATH                where the znodes are made, and deleted again (default /zebu-bench)
  --keys N                   znodes that requests choose from at random (default 1000)
  --size N                   bytes of their data (default 128)
  --children N               for children (default 1000)
  --operations N             for multi (default 10)
  --changes N                for watch, changes in each round (default 5)
  --persistent               for watch, use addWatch instead of one-shot watches
  --fill N                   first create N more znodes that are not asked for, and delete them at the end
  --fill-size N              bytes of their data (default 100)
  --zkload FILE              let this zkload (bench/drivers/zkload.c) drive instead
  --json FILE                also write everything as JSON
  --markdown                 print the table as Markdown
`;

/** Throws UsageError. */
export function parseCommandLine(args: readonly string[]): Settings {
  const { values, positionals } = parse(args);
  const [command, ...rest] = positionals;
  if (command === undefined) throw new UsageError('What to measure?');
  if (rest.length > 0) throw new UsageError(`One command at a time, not also ${rest.join(' ')}`);
  if (![...WORKLOAD_NAMES, ...OTHER_COMMANDS].includes(command) && !/^(\d?\d|100)$/.test(command)) {
    throw new UsageError(`No such command: ${command}`);
  }
  const servers = [serverChoice(values.server, values.pid, values.label)];
  if (values.vs !== undefined) {
    servers.push(serverChoice(values.vs, values['vs-pid'], values['vs-label']));
  }
  const own = args.find((arg) => /^--(connections|window)(=|$)/.test(arg));
  if (command === 'suite' && own !== undefined) {
    throw new UsageError(`The suite has connections and windows of its own: no ${own}`);
  }
  if (servers[0]?.label === servers[1]?.label) throw new UsageError('Both servers are the same');
  const path = values.path;
  if (!/^(\/[A-Za-z0-9_-]+)+$/.test(path) || path.startsWith('/zookeeper')) {
    throw new UsageError(`--path must be of letters, digits, - and _, outside /zookeeper: ${path}`);
  }
  return Object.freeze({
    command,
    servers,
    connections: wholeNumbers('--connections', values.connections),
    windows: wholeNumbers('--window', values.window),
    seconds: positive('--seconds', values.seconds),
    warmUpSeconds: positive('--warm-up', values['warm-up'], 0),
    rounds: whole('--rounds', values.rounds),
    path,
    keys: whole('--keys', values.keys),
    size: whole('--size', values.size, 0),
    children: whole('--children', values.children),
    operations: whole('--operations', values.operations),
    changes: whole('--changes', values.changes),
    isPersistent: values.persistent,
    fill: whole('--fill', values.fill, 0),
    fillSize: whole('--fill-size', values['fill-size'], 0),
    json: values.json,
    isMarkdown: values.markdown,
    zkload: values.zkload,
  });
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        server: { type: 'string', default: '127.0.0.1:2181' },
        pid: { type: 'string' },
        label: { type: 'string' },
        vs: { type: 'string' },
        'vs-pid': { type: 'string' },
        'vs-label': { type: 'string' },
        connections: { type: 'string', default: '64' },
        window: { type: 'string', default: '1,16' },
        seconds: { type: 'string', default: '5' },
        'warm-up': { type: 'string', default: '1' },
        rounds: { type: 'string', default: '3' },
        path: { type: 'string', default: '/zebu-bench' },
        keys: { type: 'string', default: '1000' },
        size: { type: 'string', default: '128' },
        children: { type: 'string', default: '1000' },
        operations: { type: 'string', default: '10' },
        changes: { type: 'string', default: '5' },
        persistent: { type: 'boolean', default: false },
        fill: { type: 'string', default: '0' },
        'fill-size': { type: 'string', default: '100' },
        json: { type: 'string' },
        markdown: { type: 'boolean', default: false },
        zkload: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function serverChoice(
  server: string,
  pid: string | undefined,
  label: string | undefined,
): ServerChoice {
  let addresses: Address[];
  try {
    addresses = parseAddresses(server);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  return {
    addresses,
    pids: pid === undefined ? undefined : wholeNumbers('--pid', pid),
    label: label ?? addresses.map(formatAddress).join(','),
  };
}

function wholeNumbers(name: string, text: string): number[] {
  return text.split(',').map((part) => whole(name, part));
}

function whole(name: string, text: string, least = 1): number {
  const value = Number(text.replaceAll('_', ''));
  if (!Number.isSafeInteger(value) || value < least || text.trim() === '') {
    throw new UsageError(`${name} must be a whole number from ${least} on, not ${text}`);
  }
  return value;
}

function positive(name: string, text: string, least = 0.1): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < least || text.trim() === '') {
    throw new UsageError(`${name} must be a number from ${least} on, not ${text}`);
  }
  return value;
}
