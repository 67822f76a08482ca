// What the two npm clients' scripts share: printing, waiting, and asking the harness to stop or start the server.
'use strict';

const net = require('node:net');
const { createInterface } = require('node:readline');

// Stays open to the end of the script, which ends with process.exit.
const replies = createInterface({ input: process.stdin });

exports.say = (...parts) => console.log(...parts);

exports.section = (name) => console.log(`\n## ${name}`);

exports.sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

exports.until = async (isTrue, ms = 60_000) => {
  const deadline = Date.now() + ms;
  while (!isTrue() && Date.now() < deadline) await exports.sleep(10);
  return isTrue();
};

/** "@server stop" and the like; resolves when the harness has done it. */
exports.server = (order) =>
  new Promise((resolve) => {
    replies.once('line', resolve);
    console.log(`@server ${order}`);
  });

/** Collects watch events; `tell` prints them when all expected ones came. */
exports.Events = class {
  seen = [];

  async tell(name, count) {
    await exports.until(() => this.seen.length >= count);
    await exports.sleep(50); // One too many would show as well.
    console.log(name, '->', this.seen.splice(0).join(', ') || 'none');
  }
};

/**
 * Closes a session from plain sockets, attach and close in one go. Its owner reconnects at once and may come
 * between: tried until the server refuses the session.
 */
exports.closeElsewhere = async (hosts, id, password) => {
  const connect = Buffer.alloc(4 + 45);
  connect.writeInt32BE(45, 0);
  connect.writeInt32BE(10_000, 16);
  id.copy(connect, 20);
  connect.writeInt32BE(16, 28);
  password.copy(connect, 32);
  const close = Buffer.alloc(12);
  close.writeInt32BE(8, 0);
  close.writeInt32BE(1, 4);
  close.writeInt32BE(-11, 8);
  const [host, port] = hosts.split(',')[0].split(':');
  const attempt = () =>
    new Promise((resolve) => {
      const chunks = [];
      const socket = net.connect({ host, port: Number(port) }, () =>
        socket.write(Buffer.concat([connect, close])),
      );
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('error', () => {});
      socket.on('close', () => resolve(Buffer.concat(chunks)));
    });
  for (;;) {
    const answer = await attempt();
    // The negotiated timeout of a session that is no more is 0.
    if (answer.length >= 12 && answer.readInt32BE(8) === 0) return;
  }
};
