// What a stranger gets: every public package is packed, the tarballs are installed with npm into an
// empty folder outside the workspace, and from there each door is imported, each README's example
// run and type-checked, and each command started.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readmeExample } from '../src/readme-example.ts';
import { ROOT, readWorkspace, type WorkspacePackage } from '../src/workspace.ts';

const run = promisify(execFile);
// So that npm asks no registry for what it does not need: the tests then pass without a network.
const QUIETLY = ['--no-audit', '--no-fund', '--no-update-notifier', '--prefer-offline'];

const packages = readWorkspace().filter((one) => one.isPublic);
const doors = packages.flatMap(({ name, doors }) => doors.map((door) => name + door.slice(1)));

// A package without README does not stop the work on it, but it does stop CI.
const withReadme = packages.filter(
  ({ directory, doors }) =>
    doors.length > 0 && (process.env.CI !== undefined || existsSync(join(directory, 'README.md'))),
);

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zebu-packed-'));
  const dependencies: Record<string, string> = {};
  for (const [index, { name, directory }] of packages.entries()) {
    // A folder each: the tarballs of @zebu/server and zebu-server have the same name.
    const destination = join(folder, 'tarballs', String(index));
    await run('pnpm', ['pack', '--pack-destination', destination], { cwd: directory });
    const [tarball] = await readdir(destination);
    dependencies[name] = `file:tarballs/${index}/${tarball}`;
  }
  // Without the overrides npm asks the registry for our packages before it takes those given to it.
  const overrides = Object.fromEntries(packages.map(({ name }) => [name, `$${name}`]));
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, type: 'module', dependencies, overrides }),
  );
  await run('npm', ['install', ...QUIETLY], {
    cwd: folder,
    env: strangersEnv(),
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each(doors)('%s can be imported', async (door) => {
  await run(process.execPath, ['--input-type=module', '-e', `await import('${door}')`], {
    cwd: folder,
  });
});

test('the types of every door resolve', async () => {
  const file = join(folder, 'doors.ts');
  const lines = doors.map((door, index) => `export * as door${index} from '${door}';\n`);
  await writeFile(file, lines.join(''));
  await checkTypes([file]);
});

describe.each(withReadme)('the example in the README of $name', (one) => {
  test('runs', async () => {
    await run(process.execPath, [await writeExample(one)], { cwd: folder, timeout: 30_000 });
  });

  test('has right types', async () => {
    await checkTypes([await writeExample(one)]);
  });
});

const commands = packages.flatMap(({ bins, directory }) => bins.map((bin) => ({ bin, directory })));
test.each(commands)('the command $bin starts on the Node that is on PATH', async (command) => {
  const main = await readFile(join(command.directory, 'src', 'main.ts'), 'utf8');
  if (main.includes('not written yet')) return;
  const { stdout } = await run(join(folder, 'node_modules', '.bin', command.bin), ['--help'], {
    cwd: folder,
    env: { ...strangersEnv(), PATH: `${dirname(process.execPath)}:/usr/bin:/bin` },
  });
  expect(stdout).toContain(command.bin);
});

test('npx zebu looks at a server, from the tarballs and with an empty home', async () => {
  const home = join(folder, 'empty-home');
  await mkdir(home);
  const script = join(folder, 'look.mjs');
  await writeFile(
    script,
    `import { execFile } from 'node:child_process';
     import { startServer } from '@zebu/server';
     const server = await startServer({ port: 0 });
     const args = ['--no-install', 'zebu', '--server', server.connectString];
     const ask = (...words) => new Promise((resolve, reject) =>
       execFile('npx', [...args, ...words], (error, stdout, stderr) =>
         error ? reject(new Error(stderr)) : resolve(stdout)));
     process.stdout.write(await ask('create', '/packed', 'well') + await ask('get', '/packed'));
     await server.close();`,
  );
  const { stdout } = await run(process.execPath, [script], {
    cwd: folder,
    env: { ...strangersEnv(), HOME: home, ZEBU_NODE: process.execPath },
  });
  expect(stdout).toBe('Created /packed\nwell');
});

/** Writes the example of a package's README into the folder, and returns the file's path. */
async function writeExample({ name, directory }: WorkspacePackage): Promise<string> {
  const code = readmeExample(await readFile(join(directory, 'README.md'), 'utf8'));
  if (code === undefined) throw new Error(`${name}: no ts block under "## Example" in its README`);
  const file = join(folder, `${name.replace('@zebu/', '')}-example.ts`);
  await writeFile(file, code);
  return file;
}

/** The environment of somebody who has npm and their own Node, and nothing of this workspace. */
function strangersEnv(): NodeJS.ProcessEnv {
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.startsWith(ROOT));
  return { ...process.env, PATH: path.join(delimiter) };
}

async function checkTypes(files: string[]): Promise<void> {
  const options = [
    ...['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2023', '--module', 'nodenext'],
    ...['--lib', 'es2023,esnext.disposable', '--ignoreConfig'],
    ...['--types', 'node', '--typeRoots', join(import.meta.dirname, '../node_modules/@types')],
  ];
  await run('tsc', [...options, ...files], { cwd: folder }).catch((error) => {
    throw new Error(`tsc: ${error.stdout || error.message}`);
  });
}
