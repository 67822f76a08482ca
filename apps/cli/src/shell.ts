// The interactive session: reads lines, runs them one after the other, and tells what happens meanwhile: watch events,
// a connection that is lost and found again, a session that ends.
//
// On a terminal readline draws the prompt; what comes by itself is printed above it. From a pipe there is no prompt and
// no greeting, and the exit code is that of the last command, as in zkCli.

import { clearScreenDown, createInterface, type Interface, moveCursor } from 'node:readline';
import { formatSessionId, type Session, type State, type WatchEvent } from '@zebu/client';
import { CliSession } from './cli-session.ts';
import { wantsColour } from './colour.ts';
import { CommandError, usage } from './command-error.ts';
import { findCommand } from './command-table.ts';
import { candidates } from './complete.ts';
import { explain } from './explain.ts';
import { failureText, failureValue } from './failure-text.ts';
import { eventLine, printable } from './format.ts';
import { COMMON_OPTIONS } from './global-options.ts';
import { unknown } from './help.ts';
import {
  addToHistory,
  historyPath,
  holdsSecret,
  readHistory,
  withoutSecret,
} from './history-file.ts';
import { Output, toJson } from './output.ts';
import { type ParsedWords, parseWords } from './parse-words.ts';
import { runCommand } from './run-command.ts';
import { readServerList } from './servers.ts';
import { scanLine, splitLine, writeInWord } from './split-line.ts';
import type { Target } from './target.ts';
import type { Verb } from './verb.ts';
import { askRole } from './words.ts';

/** A server that does not tell its role in this time has none in the prompt. */
const ROLE_MS = 2000;
/** Completion waits so long for names. */
const COMPLETION_MS = 1000;
/** As many commands as zkCli shows. */
const HISTORY_SHOWN = 10;

const STATE_NAMES: { readonly [S in State['status']]: string } = {
  connecting: 'CONNECTING',
  connected: 'CONNECTED',
  suspended: 'CONNECTING',
  expired: 'EXPIRED',
  'auth-failed': 'AUTH_FAILED',
  closed: 'CLOSED',
};

interface Question {
  readonly text: string;
  readonly answer: (line: string) => void;
}

export class Shell {
  private readonly session: CliSession;
  private readonly out: Output;
  private readonly isTty: boolean;
  private readonly saysYes: boolean;
  private readonly historyFile: string;
  private target: Target;
  /** Lines of this session, by the number that the prompt showed. */
  private readonly history: string[];
  private reader: Interface | undefined;
  /** Newest first, for the arrow keys; readline's own once it has changed. */
  private typed: string[];
  /** A command asks, and the next line is its answer. */
  private question: Question | undefined;
  private isAtPrompt: boolean;
  private printsWatches: boolean;
  private exitCode: number;
  private hasQuit: boolean;
  private state: State | undefined;
  private role: string | undefined;
  /** Aborts the command that runs. */
  private running: AbortController | undefined;

  constructor(target: Target, words: ParsedWords) {
    this.isTty = process.stdin.isTTY === true && process.stdout.isTTY === true;
    this.out = new Output(process.stdout, {
      isTty: process.stdout.isTTY === true,
      hasColour:
        !words.has('--no-color') && wantsColour(process.stdout.isTTY === true, process.env),
      isJson: words.has('--json'),
    });
    this.target = target;
    this.saysYes = words.has('--yes');
    this.session = new CliSession(target, {
      event: (event) => this.tellEvent(event),
      note: (text) => this.tell('warning', text),
    });
    this.historyFile = historyPath(process.env);
    this.history = [];
    this.reader = undefined;
    this.typed = [];
    this.question = undefined;
    this.isAtPrompt = false;
    this.printsWatches = true;
    this.exitCode = 0;
    this.hasQuit = false;
    this.state = undefined;
    this.role = undefined;
    this.running = undefined;
  }

  async run(): Promise<number> {
    if (this.isTty) {
      this.out.line(`Connecting to ${this.target.list.servers}`);
      await this.out.flush();
    }
    for (const warning of this.target.warnings) this.tell('warning', warning);
    await this.tryToConnect();
    if (this.isTty) this.typed = readHistory(this.historyFile).reverse();
    const lines: string[] = [];
    let wake = (): void => {};
    let isClosed = false;
    const read = (): void => {
      const reader = this.openReader();
      this.reader = reader;
      reader.on('line', (line) => {
        // Once it is entered the line is part of the page, and answers go below it.
        this.isAtPrompt = false;
        if (this.answer(line)) return;
        // From here on Ctrl-C is for this command, also if it comes before the command has begun.
        this.running ??= new AbortController();
        lines.push(line);
        wake();
      });
      reader.on('close', () => {
        // Ctrl-D at a question is an answer, but readline has closed itself by now: another one reads on.
        if (this.question !== undefined && !process.stdin.readableEnded) {
          process.stdout.write('\n');
          this.isAtPrompt = false;
          read();
        } else {
          isClosed = true;
          wake();
        }
        this.answer('');
      });
    };
    read();
    while (!this.hasQuit) {
      if (lines.length === 0) {
        if (isClosed) break;
        this.showPrompt();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      await this.execute(lines.shift() as string);
    }
    if (isClosed && this.isTty && !this.hasQuit) process.stdout.write('\n');
    this.isAtPrompt = false;
    this.reader?.close();
    await this.session.close();
    await this.out.flush();
    return this.exitCode;
  }

  private openReader(): Interface {
    if (!this.isTty) return createInterface({ input: process.stdin, terminal: false });
    const reader = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: true,
      history: this.typed,
      historySize: 1000,
      removeHistoryDuplicates: true,
      completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
        void this.complete(line).then((result) => done(null, result));
      },
    });
    // readline keeps what was typed for the arrow keys: not credentials, nor answers.
    reader.on('history', (history) => {
      if (this.question !== undefined || holdsSecret(history[0] ?? '')) history.shift();
      this.typed = history;
    });
    reader.on('SIGINT', () => this.interrupt());
    return reader;
  }

  // Ctrl-C: answers a question with no, stops the command that runs; at the prompt it empties the line.
  private interrupt(): void {
    if (this.question !== undefined) {
      this.leaveLine('^C');
      this.answer('');
      return;
    }
    if (this.running !== undefined) {
      this.running.abort();
      return;
    }
    this.leaveLine(this.reader?.line === '' ? '^C (quit or Ctrl-D leaves)' : '^C');
    this.showPrompt();
  }

  /** Goes below what is typed, which is forgotten. */
  private leaveLine(mark: string): void {
    const { reader } = this;
    if (reader === undefined) return;
    this.isAtPrompt = false;
    // Of a line that wraps, what is right of the cursor is below it.
    reader.write(null, { ctrl: true, name: 'e' });
    process.stdout.write(`${mark}\n`);
    startAtThisRow(reader);
    reader.setPrompt('');
    reader.write(null, { ctrl: true, name: 'u' });
  }

  private async execute(line: string): Promise<void> {
    if (line.trim() === '') {
      this.running = undefined;
      return;
    }
    const number = this.history.length;
    this.history.push(line);
    if (this.isTty) addToHistory(this.historyFile, line);
    this.exitCode = await this.runLine(line, number);
  }

  private async runLine(line: string, number: number): Promise<number> {
    const running = this.running ?? new AbortController();
    this.running = running;
    const stopped = new Promise<never>((_, reject) => {
      const stop = (): void => reject(new CommandError('interrupted', 'Interrupted'));
      if (running.signal.aborted) stop();
      else running.signal.addEventListener('abort', stop);
    });
    stopped.catch(() => {});
    let isJson = this.out.isJson;
    try {
      const [name, ...rest] = splitLine(line) as [string, ...string[]];
      const verb = findCommand(name) ?? unknown(name);
      const words = parseWords(rest, [...(verb.options ?? []), ...COMMON_OPTIONS], {
        takesCommand: verb.takesCommand === true,
      });
      isJson ||= words.has('--json');
      if (running.signal.aborted) return await stopped;
      const work = this.runWords(verb, words, number, running.signal, isJson);
      work.catch(() => {});
      return await Promise.race([work, stopped]);
    } catch (error) {
      await this.out.flush();
      const failure = await explain(error, this.session.client);
      const text = isJson ? toJson(failureValue(failure)) : printable(failureText(failure));
      process.stderr.write(`${isJson ? text : this.styleError(text)}\n`);
      return failure.exitCode;
    } finally {
      this.running = undefined;
    }
  }

  private async runWords(
    verb: Verb,
    words: ParsedWords,
    number: number,
    signal: AbortSignal,
    isJson: boolean,
  ): Promise<number> {
    if (words.has('--help')) {
      const { commandHelp } = await import('./help.ts');
      this.out.line(commandHelp(verb, true).trimEnd());
      await this.out.flush();
      return 0;
    }
    if (verb.only === 'shell') {
      throw usage(
        `${verb.name} is for a shell's command line`,
        `zebu ${verb.name} ${verb.synopsis}`,
      );
    }
    if (verb.load === undefined) return await this.runOwn(verb, words, number, signal);
    const { isTty, hasColour } = this.out;
    const out = new Output(process.stdout, { isTty, hasColour, isJson });
    // What an interrupted command still has to say would land in the line that is being typed.
    signal.addEventListener('abort', () => out.mute());
    return await runCommand(verb, words, out, {
      session: this.session,
      isInteractive: true,
      saysYes: this.saysYes,
      signal,
      note: (text) => process.stderr.write(`${text}\n`),
      ask: (question) => this.ask(question),
    });
  }

  /** Commands that are about the session itself. */
  private async runOwn(
    { name, synopsis, operands: [fewest, most] }: Verb,
    { operands }: ParsedWords,
    number: number,
    signal: AbortSignal,
  ): Promise<number> {
    if (operands.length < fewest || operands.length > most) {
      throw usage(
        `Too ${operands.length < fewest ? 'few' : 'many'} arguments: ${name} ${synopsis}`,
      );
    }
    const [word] = operands;
    switch (name) {
      case 'quit':
      case 'exit':
        this.hasQuit = true;
        break;
      case 'close':
        await this.session.close();
        this.setState(undefined);
        break;
      case 'connect':
        await this.connect(word, signal);
        break;
      case 'history':
        for (let at = Math.max(0, number - HISTORY_SHOWN); at <= number; at++) {
          this.out.line(`${at} - ${this.out.name(withoutSecret(this.history[at] as string))}`);
        }
        break;
      case 'redo':
        return await this.redo(word as string, number);
      case 'printwatches':
        if (word === undefined)
          this.out.line(`printwatches is ${this.printsWatches ? 'on' : 'off'}`);
        else this.printsWatches = word === 'on';
        break;
    }
    await this.out.flush();
    return 0;
  }

  private async redo(word: string, number: number): Promise<number> {
    const at = Number(word);
    const line = this.history[at];
    if (!/^\d+$/.test(word) || at >= number || line === undefined) {
      throw usage(
        'Command index out of range',
        number === 0 ? undefined : `0 to ${number - 1} are there`,
      );
    }
    if (/^\s*redo\b/.test(line)) throw usage('No redoing redos');
    if (holdsSecret(line)) throw usage('The history keeps no credentials', 'type it again');
    this.history[number] = line;
    return await this.runLine(line, number);
  }

  // --- The connection ------------------------------------------------------------------------

  private async tryToConnect(): Promise<void> {
    const connecting = new AbortController();
    const stop = (): void => connecting.abort();
    process.once('SIGINT', stop);
    try {
      await this.connect(undefined, connecting.signal);
    } catch (error) {
      if (!this.isTty) throw error;
      const failure = await explain(error);
      process.stderr.write(`${this.styleError(failureText(failure))}\n`);
      this.out.line('There is no session; connect tries again');
      await this.out.flush();
    } finally {
      process.off('SIGINT', stop);
    }
  }

  private async connect(servers: string | undefined, signal: AbortSignal): Promise<void> {
    if (servers !== undefined) {
      // Credentials and keys are for the cluster that they were given for, and so is its protection.
      this.target = {
        ...this.target,
        list: readServerList(servers),
        source: 'connect',
        isProtected: false,
        auth: [],
        tls: undefined,
      };
    }
    this.setState(undefined);
    const client = await this.session.connect(this.target, signal, 'renew');
    client.on('state', (state) => {
      if (this.session.client !== undefined && this.session.whole === client)
        this.stateChanged(state);
    });
    client.on('session', (session) => this.sessionBegan(session));
    this.setState(client.state);
    await this.findRole(client.state);
  }

  private stateChanged(state: State): void {
    const before = this.state;
    this.setState(state);
    if (state.status === 'suspended') {
      const from = before?.status === 'connected' ? ` to ${before.server}` : '';
      const seconds = Math.round(this.session.zk.session.timeoutMs / 1000);
      this.tell('warning', `Connection${from} lost; the session expires in ${seconds} s`);
    } else if (state.status === 'connected' && before?.status !== 'connected') {
      this.tell('dim', `Connected to ${state.server}`);
      void this.findRole(state).then(() => this.redrawPrompt());
    } else if (state.status === 'expired') {
      const id = formatSessionId(this.session.zk.session.id);
      this.tell(
        'warning',
        `Session ${id} has expired: its ephemeral znodes are gone, or will be in a moment`,
      );
    }
  }

  private sessionBegan(session: Session): void {
    this.tell('dim', `Session ${formatSessionId(session.id)} has begun`);
  }

  private setState(state: State | undefined): void {
    this.state = state;
    this.role = undefined;
  }

  private async findRole(state: State): Promise<void> {
    if (state.status !== 'connected') return;
    const [host] = readServerList(state.server).hosts;
    if (host === undefined) return;
    const role = await askRole({ host, tls: this.target.tls }, ROLE_MS);
    // It may be another server by now.
    if (this.state === state) this.role = role;
  }

  // --- The page ------------------------------------------------------------------------------

  private showPrompt(): void {
    if (!this.isTty || this.reader === undefined) return;
    this.reader.setPrompt(this.question?.text ?? this.prompt());
    this.isAtPrompt = true;
    this.reader.prompt(true);
  }

  private redrawPrompt(): void {
    if (this.isAtPrompt) this.above(() => {});
  }

  /** zkCli's, with the role of the server: `[zk: 127.0.0.1:2181(CONNECTED, leader) 0] `. */
  private prompt(): string {
    const { state } = this;
    const where = state?.status === 'connected' ? state.server : this.target.list.servers;
    const isReadOnly = state?.status === 'connected' && state.readOnly;
    const name = state === undefined ? 'CLOSED' : STATE_NAMES[state.status];
    const role = this.role === undefined ? '' : `, ${this.role}`;
    const chroot = this.target.list.chroot;
    const text = `[zk: ${where}${chroot}(${name}${isReadOnly ? 'READONLY' : ''}${role}) ${this.history.length}]`;
    const isWell = state?.status === 'connected';
    return `${this.out.style(isWell ? 'prompt' : 'warning', text)} `;
  }

  private tellEvent(event: WatchEvent): void {
    if (!this.printsWatches) return;
    this.above(() => {
      if (this.out.isJson) process.stdout.write(`${toJson({ event })}\n`);
      else {
        const text = this.out.style('event', this.out.name(eventLine(event)));
        process.stdout.write(`\nWATCHER::\n\n${text}\n`);
      }
    });
  }

  private tell(style: 'warning' | 'dim', text: string): void {
    if (this.isTty) this.above(() => process.stdout.write(`${this.out.style(style, text)}\n`));
    else process.stderr.write(`${text}\n`);
  }

  /** Prints above the prompt and the line that is being typed. */
  private above(print: () => void): void {
    if (!this.isAtPrompt || this.reader === undefined) {
      print();
      return;
    }
    const { rows } = this.reader.getCursorPos();
    moveCursor(process.stdout, 0, -rows);
    process.stdout.write('\r');
    clearScreenDown(process.stdout);
    print();
    startAtThisRow(this.reader);
    this.showPrompt();
  }

  private styleError(text: string): string {
    return process.stderr.isTTY === true ? this.out.style('error', text) : text;
  }

  /** An empty answer, which is no consent, for Ctrl-C and Ctrl-D; undefined where there is no terminal. */
  private ask(text: string): Promise<string | undefined> {
    if (!this.isTty || this.reader === undefined) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.question = { text, answer: resolve };
      this.showPrompt();
    });
  }

  /** False if nothing was asked. */
  private answer(line: string): boolean {
    const { question } = this;
    this.question = undefined;
    question?.answer(line);
    return question !== undefined;
  }

  // --- Completion ----------------------------------------------------------------------------

  private async complete(line: string): Promise<[string[], string]> {
    const { words, openQuote, endsInSpace, endsInEscape } = scanLine(line);
    const isNew = endsInSpace || words.length === 0;
    const last = isNew
      ? { text: '', start: line.length }
      : (words.pop() as { text: string; start: number });
    const typed = line.slice(last.start);
    // A backslash at the end belongs to the character that follows.
    const [known, before] = endsInEscape
      ? [last.text.slice(0, -1), typed.slice(0, -1)]
      : [last.text, typed];
    const found = await candidates(
      words.map(({ text }) => text),
      known,
      { children: (path) => this.childrenSoon(path), contexts: () => [] },
      true,
    ).catch(() => []);
    const space = words.length === 0 ? ' ' : '';
    // The quote that is open may be closed already to the right of the cursor.
    const isClosed = this.reader?.line[line.length] === openQuote;
    // What was typed stays as it is: only the rest is added, in the quotes that are open.
    const written = found.map((one) => {
      const whole = before + writeInWord(one.slice(known.length), openQuote);
      if (openQuote === undefined) return whole + space;
      // A path that ends in a slash goes on.
      const isWhole = found.length === 1 && !one.endsWith('/');
      return isWhole && !isClosed ? whole + openQuote + space : whole;
    });
    return [written.filter((one) => one.startsWith(typed)), typed];
  }

  private async childrenSoon(path: string): Promise<readonly string[]> {
    const { client } = this.session;
    if (client === undefined) return [];
    const { names } = await client.children(path, { timeoutMs: COMPLETION_MS });
    return names;
  }
}

/**
 * Tells readline that the cursor is in the row where the prompt begins. readline counts the rows between the two, and
 * knows nothing of what others print. Where a version of Node counts elsewhere, a line that wraps is drawn a row too high.
 */
function startAtThisRow(reader: Interface): void {
  (reader as Interface & { prevRows?: number }).prevRows = 0;
}
