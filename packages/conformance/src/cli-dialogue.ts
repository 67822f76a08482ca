// The same session typed into Apache's zkCli and into zebu: one command, its answer, the next command. The script is
// foreign/zkcli/session.txt; what differs from run to run is replaced.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { JVM_OPTIONS, logbackFile } from './apache.ts';
import { apacheClassPath, conformanceRoot, repositoryRoot } from './tools.ts';

export interface Exchange {
  readonly command: string;
  readonly answer: readonly string[];
  /** Watch events that the script waits for after the command. */
  readonly events: readonly string[];
}

const TIMEOUT_MS = 60_000;
/** Parts of the script that are not for a comparison of the two: the server restarts there. */
const LEFT_OUT = ['## the server restarts'];

/** Runs the script with two clients of one kind. */
export async function cliDialogue(kind: 'zkcli' | 'zebu', port: number): Promise<Exchange[]> {
  const host = `127.0.0.1:${port}`;
  const clients = new Map(['a', 'b'].map((name) => [name, new CliClient(kind, host)] as const));
  const normalize = normalizer(host);
  const exchanges: Exchange[] = [];
  try {
    for (const client of clients.values()) await client.begin();
    for (const { name, command, events } of script()) {
      const client = clients.get(name) as CliClient;
      const answer = await client.ask(command.replace('{host}', host));
      const told = await (clients.get('a') as CliClient).takeEvents(events);
      exchanges.push({
        command: `${name}> ${command}`,
        answer: answer.map(normalize),
        events: told.map(normalize).sort(),
      });
    }
    return exchanges;
  } finally {
    for (const client of clients.values()) client.kill();
  }
}

function* script(): Iterable<{ name: string; command: string; events: number }> {
  const text = readFileSync(join(conformanceRoot, 'foreign', 'zkcli', 'session.txt'), 'utf8');
  let isLeftOut = false;
  for (const line of text.split('\n')) {
    if (line.startsWith('## ')) isLeftOut = LEFT_OUT.some((part) => line.startsWith(part));
    const [, events = '0', name, command] = /^(?:events (\d+) )?([ab])> (.*)$/.exec(line) ?? [];
    if (isLeftOut || name === undefined || command === undefined) continue;
    if (command !== 'quit') yield { name, command, events: Number(events) };
  }
}

class CliClient {
  private readonly kind: 'zkcli' | 'zebu';
  private readonly process: ChildProcessWithoutNullStreams;
  private text: string;
  private events: string[];
  private prompts: number;
  private isMarkOn: boolean;
  private wake: () => void;

  constructor(kind: 'zkcli' | 'zebu', host: string) {
    this.kind = kind;
    const command = kind === 'zkcli' ? zkCli(host) : zebu(host);
    // One stream for both outputs, as on a terminal.
    this.process = spawn('sh', ['-c', 'exec "$@" 2>&1', 'sh', ...command], { stdio: 'pipe' });
    this.text = '';
    this.events = [];
    this.prompts = 0;
    this.isMarkOn = true;
    this.wake = () => {};
    this.process.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
      this.wake();
    });
  }

  async begin(): Promise<void> {
    if (this.kind === 'zkcli') await this.upToPrompt();
    else await this.ask('printwatches');
    this.events = [];
  }

  async ask(command: string): Promise<string[]> {
    if (this.kind === 'zkcli') {
      this.process.stdin.write(`${command}\n`);
      const said = await this.upToPrompt();
      if (command.startsWith('connect')) await this.connected();
      return said;
    }
    // A pipe has no prompt: a second command marks the end of the answer. It is counted as well, as are the two of
    // begin(), so numbers of the history are others.
    const redo = /^redo (\d+)$/.exec(command)?.[1];
    const told = redo === undefined ? command : `redo ${2 + 2 * Number(redo)}`;
    if (command === 'printwatches off') this.isMarkOn = false;
    if (command === 'printwatches on') this.isMarkOn = true;
    this.process.stdin.write(`${told}\nprintwatches\n`);
    const mark = `printwatches is ${this.isMarkOn ? 'on' : 'off'}\n`;
    const marks = command === 'printwatches' ? 2 : 1;
    await this.until(() => this.text.split(mark).length > marks, `the answer to ${command}`);
    const end = this.text.lastIndexOf(mark);
    const said = this.text.slice(0, end);
    this.text = this.text.slice(end + mark.length);
    return this.withoutEvents(said);
  }

  /** Waits for so many events and takes them. */
  async takeEvents(count: number): Promise<string[]> {
    if (count === 0) return [];
    await this.until(() => {
      this.text = this.withoutEvents(this.text).join('\n');
      return this.events.length >= count;
    }, `${count} events`);
    return this.events.splice(0);
  }

  kill(): void {
    this.process.kill('SIGKILL');
  }

  private async upToPrompt(): Promise<string[]> {
    const prompt = new RegExp(`\\[zk: [^\\]]*\\((\\w+)\\) ${this.prompts}\\] `);
    await this.until(() => prompt.test(this.text), `prompt ${this.prompts}`);
    const found = prompt.exec(this.text) as RegExpExecArray;
    const said = this.text.slice(0, found.index);
    this.text = this.text.slice(found.index + found[0].length);
    this.prompts += 1;
    return this.withoutEvents(said);
  }

  /** zkCli gives its prompt before it has a connection. */
  private async connected(): Promise<void> {
    const isConnected = /SyncConnected type:None/;
    await this.until(() => {
      this.text = this.withoutEvents(this.text).join('\n');
      return this.events.some((event) => isConnected.test(event));
    }, 'a connection');
    this.events = this.events.filter((event) => !/type:None/.test(event));
  }

  private withoutEvents(text: string): string[] {
    return text.split('\n').filter((line) => {
      if (line.startsWith('WatchedEvent ')) this.events.push(line);
      return !line.startsWith('WatchedEvent ') && line !== 'WATCHER::' && line.trim() !== '';
    });
  }

  private until(isTrue: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.wake = () => {};
        reject(new Error(`${this.kind}: no ${what} in ${TIMEOUT_MS} ms; it said:\n${this.text}`));
      }, TIMEOUT_MS);
      this.wake = () => {
        if (!isTrue()) return;
        clearTimeout(timer);
        this.wake = () => {};
        resolve();
      };
      this.wake();
    });
  }
}

function zkCli(host: string): string[] {
  return [
    'java',
    ...JVM_OPTIONS,
    '-Dzebu.log=OFF',
    `-Dlogback.configurationFile=${logbackFile}`,
    ...['-cp', apacheClassPath('3.9.5'), 'org.apache.zookeeper.ZooKeeperMain'],
    ...['-waitforconnection', '-server', host],
  ];
}

function zebu(host: string): string[] {
  const built = join(repositoryRoot, 'apps', 'cli', 'dist', 'main.js');
  const source = join(repositoryRoot, 'apps', 'cli', 'src', 'main.ts');
  const main = existsSync(built) ? [built] : ['--conditions=@zebu/source', source];
  return [process.execPath, ...main, '--server', host];
}

/** Times, zxids and sessions are those of one run; so is the order in which a server lists ephemerals. */
function normalizer(host: string): (line: string) => string {
  const sessions = new Map<string, string>();
  return (line) =>
    line
      .replaceAll(host, '{host}')
      .replace(/^((?:c|m)time) = .*/, '$1 = {time}')
      .replace(/^([cmp]Zxid) = 0x[1-9a-f][0-9a-f]*$/, '$1 = {zxid}')
      .replace(/ zxid: \d+/, ' zxid: {zxid}')
      .replace(/^ephemeralOwner = 0x([0-9a-f]{10,})$/, (_, id: string) => {
        if (/^(?:ff|8000)/.test(id)) return `ephemeralOwner = ${id}`;
        if (!sessions.has(id)) sessions.set(id, `session ${sessions.size + 1}`);
        return `ephemeralOwner = ${sessions.get(id)}`;
      })
      .replace(/^\[(.+)\]$/, (_, names: string) => `[${names.split(', ').sort().join(', ')}]`)
      .trimEnd();
}
