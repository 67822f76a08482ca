// Runs a script of a foreign client against one server and keeps what it prints: the transcript. A script
// may have its server stopped and started again, by a line on its standard output that is not part of the
// transcript, `@server stop`, `@server kill` or `@server start`; it reads `ok` from standard input when done.

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ServerOptions, ServerProcess } from './server-process.ts';
import { conformanceRoot } from './tools.ts';

/** A command that runs a client's script; its output is the transcript. */
export interface Script {
  command: string;
  args: string[];
  cwd?: string;
  env?: Record<string, string>;
  /** Given to standard input at once, which is then closed: for a client that reads commands there. */
  input?: string;
  /** The script is stopped and its transcript refused after this time. */
  timeoutMs: number;
}

/** Starts a server of one kind: `startApache`, `startZebu`. */
export type StartServer = (options: ServerOptions) => Promise<ServerProcess>;

/**
 * Starts a server, runs the script that `scriptFor` makes for its port, stops the server, and returns the
 * transcript. Throws with the transcript so far, the script's error output and the server's log when the
 * script fails.
 */
export async function transcriptOf(
  start: StartServer,
  options: ServerOptions,
  scriptFor: (port: number) => Script,
): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), 'zebu-interop-'));
  const dataDir = join(home, 'data');
  let server = await start({ ...options, dataDir });
  const { port } = server;
  const control = async (order: string) => {
    if (order === 'stop') await server.stop();
    else if (order === 'kill') await server.stop('SIGKILL');
    else if (order === 'start') server = await start({ ...options, dataDir, port });
    else throw new Error(`Unknown order to the server: ${order}`);
  };
  try {
    return await runScript(scriptFor(port), control);
  } catch (error) {
    const log = readFileSync(server.logFile, 'utf8').slice(-3000);
    throw new Error(`${(error as Error).message}\n--- server log\n${log}`);
  } finally {
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

/** Runs a script to its end; `control` carries out its orders to the server. */
export function runScript(
  script: Script,
  control: (order: string) => Promise<void>,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(script.command, script.args, {
      cwd: script.cwd,
      env: { ...process.env, LC_ALL: 'C.UTF-8', ...script.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const lines: string[] = [];
    let complaints = '';
    let failure: string | undefined;
    const fail = (message: string) => {
      failure ??= message;
      child.kill('SIGKILL');
    };
    const killOnExit = () => child.kill('SIGKILL');
    process.once('exit', killOnExit);
    const timer = setTimeout(() => fail(`not done after ${script.timeoutMs} ms`), script.timeoutMs);

    child.stdin.on('error', () => {}); // The script ended without reading all of it: its exit says why.
    if (script.input !== undefined) child.stdin.end(script.input);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaints += text;
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const order = /^@server (\w+)$/.exec(line)?.[1];
      if (order === undefined) {
        lines.push(line);
        return;
      }
      // Held until the server serves: a connection that Apache accepts a moment too early fails in there with
      // a NullPointerException (ZooKeeperServer.removeCnxn without its zkDb) and is never closed, and some
      // clients then wait for ever.
      if (order === 'start') child.kill('SIGSTOP');
      control(order).then(
        () => {
          child.kill('SIGCONT');
          child.stdin.write('ok\n');
        },
        (error: Error) => fail(`server ${order}: ${error.message}`),
      );
    });
    child.on('error', (error) => fail(error.message));
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      process.off('exit', killOnExit);
      if (failure === undefined && code === 0) {
        resolve(`${lines.join('\n')}\n`);
        return;
      }
      const why = failure ?? `ended with ${signal ?? `code ${code}`}`;
      const said = lines.slice(-25).join('\n');
      reject(
        new Error(
          `${script.command}: ${why}\n--- said\n${said}\n--- stderr\n${complaints.slice(-3000)}`,
        ),
      );
    });
  });
}

/** A unified diff of two texts, '' when they are equal; both are kept in reports/foreign to be read. */
export function transcriptDiff(
  name: string,
  expected: { by: string; text: string },
  actual: { by: string; text: string },
): string {
  const files = [expected, actual].map(({ by, text }, index) => {
    const file = join(conformanceRoot, 'reports', 'foreign', `${name}.${index}-${by}.txt`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  });
  if (expected.text === actual.text) return '';
  const { stdout } = spawnSync('diff', ['-u', ...files], { encoding: 'utf8' });
  return stdout ?? `transcripts differ, see ${files.join(' and ')}`;
}
