// One client library in a process of its own, measured against one server. Prints one line of JSON.
//
//   node client-load.mjs CLIENT SERVER WHAT [SECONDS]
//
//   CLIENT   zebu, node-zookeeper-client, zookeeper (the last two found through NODE_PATH)
//   WHAT     gets, ping-pong, creates; of zebu also watches (memory of 10,000), rearm (100,000), connect

import { createRequire } from 'node:module';

const importedAt = performance.now();
const [name, server, what, secondsText = '3'] = process.argv.slice(2);
const seconds = Number(secondsText);
const require = createRequire(import.meta.url);
const DATA = Buffer.alloc(128, 'x');
const ROOT = `/load-${process.pid}`;

/** The few calls that are measured, by each library. */
const libraries = {
  async zebu() {
    const { connect } = await import(process.env.ZEBU_CLIENT ?? '@zebu/client');
    const zk = await connect(server);
    return {
      zk,
      get: (path) => zk.get(path),
      create: (path) => zk.create(path, DATA),
      close: async () => {
        await zk.delete(ROOT, { recursive: true, missingOk: true });
        await zk.close();
      },
    };
  },

  async 'node-zookeeper-client'() {
    const { createClient } = require('node-zookeeper-client');
    const client = createClient(server, { sessionTimeout: 30_000 });
    await new Promise((resolve) => {
      client.once('connected', resolve);
      client.connect();
    });
    const call = (method, ...args) =>
      new Promise((resolve, reject) => {
        client[method](...args, (error, value) => (error ? reject(error) : resolve(value)));
      });
    return {
      get: (path) => call('getData', path),
      create: (path) => call('create', path, DATA),
      close: () => client.close(),
    };
  },

  async zookeeper() {
    const ZooKeeper = require('zookeeper');
    const client = new ZooKeeper({ connect: server, timeout: 30_000, debug_level: 1 });
    await new Promise((resolve) => {
      client.once('connect', resolve);
      client.init({});
    });
    const call = (method, ...args) =>
      new Promise((resolve, reject) => {
        client[method](...args, (rc, error, ...results) =>
          rc === 0 ? resolve(results) : reject(new Error(`${rc} ${error}`)),
        );
      });
    return {
      get: (path) => call('a_get', path, false),
      create: (path) => call('a_create', path, DATA, 0),
      close: () => client.close(),
    };
  },
};

/** Keeps `inFlight` calls under way for the time; returns how many were answered per second. */
async function rate(inFlight, call) {
  const warmUntil = performance.now() + 500;
  const endAt = warmUntil + seconds * 1000;
  let counted = 0;
  let startedAt = 0;
  const one = async () => {
    for (;;) {
      const now = performance.now();
      if (now >= endAt) return;
      await call();
      if (startedAt === 0 && performance.now() >= warmUntil) startedAt = performance.now();
      if (startedAt > 0) counted++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return counted / ((performance.now() - startedAt) / 1000);
}

/** The middle of the times of calls made one after another, in us. */
async function middle(call) {
  const times = [];
  for (let i = 0; i < 1000; i++) await call();
  const endAt = performance.now() + seconds * 1000;
  while (performance.now() < endAt) {
    const from = performance.now();
    await call();
    times.push(performance.now() - from);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1] * 1000;
}

async function heap() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const library = await libraries[name]();
const results = {};
if (what === 'connect') {
  // From the first line of this file, the import of the library included.
  results.connectMs = performance.now() - importedAt;
  results.sinceStartMs = performance.now();
} else {
  await library.create(ROOT);
}
let made = 0;
if (what === 'gets') results.perSecond = await rate(1000, () => library.get(ROOT));
if (what === 'ping-pong') results.p50us = await middle(() => library.get(ROOT));
if (what === 'creates')
  results.perSecond = await rate(100, () => library.create(`${ROOT}/n${made++}`));
if (what === 'watches') {
  const arm = (path) => library.zk.exists(path, { watch: true });
  await arm(`${ROOT}/first`);
  const before = await heap();
  const watches = [];
  for (let i = 0; i < 10_000; i += 1000) {
    const some = Array.from({ length: 1000 }, (_, j) =>
      arm(`${ROOT}/some/path/of/a/program/${i + j}`),
    );
    watches.push(...(await Promise.all(some)));
  }
  results.bytesEach = ((await heap()) - before) / watches.length;
}
if (what === 'rearm') {
  for (let i = 0; i < 100_000; i += 1000) {
    await Promise.all(
      Array.from({ length: 1000 }, (_, j) =>
        library.zk.exists(`${ROOT}/some/path/of/a/program/${i + j}`, { watch: true }),
      ),
    );
  }
  const stream = await library.zk.watch(ROOT);
  const items = stream[Symbol.asyncIterator]();
  await items.next();
  const [host, port] = server.split(':');
  const from = performance.now();
  library.zk.setServers(host === 'localhost' ? `127.0.0.1:${port}` : `localhost:${port}`);
  for (;;) {
    const { value } = await items.next();
    if (value.reason === 'reconnected') break;
  }
  results.rearmMs = performance.now() - from;
}
await library.close();
console.log(JSON.stringify(results));
process.exit();
