// Talks to Apache's zkCli (ZooKeeperMain) as a person does: gives a command, reads the answer up to the next
// prompt, gives the next. The dialogue is session.txt; what must differ from run to run is replaced.
//
//   node session.mjs CLASSPATH 127.0.0.1:2181 [java options]

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [classPath, host, ...javaOptions] = process.argv.slice(2);
const TIMEOUT_MS = 60_000;

class ZkCli {
  #text = '';
  #wake = () => {};
  #prompts = 0;
  events = [];

  constructor() {
    // One stream for both outputs, as on a terminal: errors are on the other one.
    const line = [
      ...javaOptions,
      '-cp',
      classPath,
      'org.apache.zookeeper.ZooKeeperMain',
      '-waitforconnection',
      '-server',
      host,
    ];
    this.process = spawn('sh', ['-c', 'exec java "$@" 2>&1', 'sh', ...line], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.exited = new Promise((resolve) => this.process.on('exit', resolve));
    this.process.stdout.setEncoding('utf8').on('data', (text) => {
      this.#text += text;
      this.#wake();
    });
    process.on('exit', () => this.process.kill('SIGKILL'));
    void this.exited.then(() => {
      this.hasEnded = true;
      this.#wake();
    });
  }

  /** What is printed up to the next prompt, without watch events: those go to `events`. */
  async answer() {
    const prompt = new RegExp(`\\[zk: [^\\]]*\\((\\w+)\\) ${this.#prompts}\\] `);
    await this.#until(() => prompt.test(this.#text) || this.hasEnded, `prompt ${this.#prompts}`);
    const found = prompt.exec(this.#text);
    const end = found ? found.index : this.#text.length;
    const said = this.#text.slice(0, end);
    this.#text = found ? this.#text.slice(end + found[0].length) : '';
    this.#prompts += 1;
    return this.#withoutEvents(said);
  }

  /** Waits until `count` events came since the last call, and takes them. */
  async takeEvents(count) {
    await this.#until(() => {
      this.#text = this.#withoutEvents(this.#text).join('\n');
      return this.events.length >= count;
    }, `${count} events`).catch((error) => this.events.push(`(${error.message})`));
    return this.events.splice(0);
  }

  tell(command) {
    this.process.stdin.write(`${command}\n`);
  }

  // The event thread prints "", "WATCHER::", "", the event, and may do so in the middle of an answer.
  #withoutEvents(text) {
    const lines = text.split('\n');
    return lines.filter((line) => {
      if (line.startsWith('WatchedEvent ')) this.events.push(line);
      return !line.startsWith('WatchedEvent ') && line !== 'WATCHER::' && line.trim() !== '';
    });
  }

  #until(isTrue, what) {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (!isTrue()) return;
        clearTimeout(timer);
        this.#wake = () => {};
        resolve();
      };
      const timer = setTimeout(() => {
        this.#wake = () => {};
        reject(new Error(`no ${what} in ${TIMEOUT_MS} ms`));
      }, TIMEOUT_MS);
      this.#wake = check;
      check();
    });
  }
}

const replies = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function main() {
  const clients = { a: new ZkCli(), b: new ZkCli() };
  for (const client of Object.values(clients)) {
    await client.answer();
    client.events = []; // SyncConnected comes before or after the first prompt.
  }
  const script = readFileSync(new URL('session.txt', import.meta.url), 'utf8').split('\n');
  for (const line of script) {
    if (line.startsWith('##')) console.log(`\n${line}`);
    const order = /^server (\w+)$/.exec(line)?.[1];
    if (order) {
      console.log(`@server ${order}`);
      await replies.next();
      if (order === 'start') await Promise.all(Object.values(clients).map(untilConnected));
    }
    const parsed = /^(?:events (\d+) )?([ab])> (.*)$/.exec(line);
    if (parsed === null) continue;
    const [, events, name, command] = parsed;
    console.log(`${name}> ${command}`);
    const client = clients[name];
    client.tell(command.replace('{host}', host));
    if (command === 'quit') await client.exited;
    const said = await client.answer();
    // A new connection prints SyncConnected when it comes to it.
    if (command.startsWith('connect')) await untilConnected(client);
    for (const one of said) console.log(normalize(one));
    if (events)
      for (const one of await clients.a.takeEvents(Number(events)))
        console.log(normalize(`a! ${one}`));
  }
  console.log('\n## one command a process');
  for (const [suffix, ...command] of [
    ['', 'ls', '/a'],
    ['', 'get', '/missing'],
    ['', 'create', '-s', '/a/once-', 'x'],
    ['/a', 'ls', '/'],
    ['/a', 'create', '/in-chroot', 'x'],
    ['', 'get', '/a/in-chroot'],
  ]) {
    console.log(`$ zkCli -server {host}${suffix} ${command.join(' ')}`);
    const { status, stdout } = spawnSync(
      'sh',
      [
        '-c',
        'exec java "$@" 2>&1',
        'sh',
        ...javaOptions,
        '-cp',
        classPath,
        'org.apache.zookeeper.ZooKeeperMain',
        '-server',
        host + suffix,
        ...command,
      ],
      { encoding: 'utf8' },
    );
    const said = stdout
      .split('\n')
      .filter((line) => !/^(WATCHER::|WatchedEvent .*|Connecting to .*|\s*)$/.test(line));
    console.log([...said.map(normalize), `exit code ${status}`].join('\n'));
  }
  const left = clients.a.events
    .concat(clients.b.events)
    .filter((event) => !/type:None/.test(event));
  console.log(`\n## events nobody waited for\n${left.map(normalize).join('\n')}`);
}

async function untilConnected(client) {
  for (;;) {
    const events = await client.takeEvents(1);
    if (events.some((event) => /SyncConnected type:None|no 1 events/.test(event))) break;
  }
  client.events = [];
}

let baseZxid;
const sessions = new Map();

function normalize(line) {
  return (
    line
      .replaceAll(host, '{host}')
      .replace(/^((?:c|m)time) = .*/, '$1 = {time}')
      .replace(
        /^([cmp]Zxid) = 0x([0-9a-f]+)$/,
        (_, name, hex) => `${name} = ${relative(Number.parseInt(hex, 16))}`,
      )
      .replace(/ zxid: (\d+)/, (_, zxid) => ` zxid: ${relative(Number(zxid))}`)
      .replace(/^ephemeralOwner = 0x([0-9a-f]{10,})$/, (_, id) => {
        if (!sessions.has(id)) sessions.set(id, `session ${sessions.size + 1}`);
        return `ephemeralOwner = ${id.startsWith('ff') || id.startsWith('8000') ? id : sessions.get(id)}`;
      })
      // getEphemerals: the server has them in a hash set.
      .replace(/^\[(.+)\]$/, (_, names) => `[${names.split(', ').sort().join(', ')}]`)
      .trimEnd()
  );
}

function relative(zxid) {
  if (zxid === 0) return '0';
  baseZxid ??= zxid;
  return `first${zxid < baseZxid ? '' : '+'}${zxid - baseZxid}`;
}

await main();
process.exit(0);
