// The floor: the least a Node server can do and still answer ZooKeeper's frames correctly.
//
// It does the connect handshake, cuts frames in place, and answers getData, exists, setData, create,
// delete, getChildren, getChildren2 and ping from a Map. It keeps no session, no
// watch, no ACL, no order beyond a socket's own, and nothing on disk. So it bounds from above what any
// ZooKeeper server in Node can reach on this machine with this driver; zebu's share of it is reported in
// docs/BENCHMARKS.md. It must never become a server: no feature belongs here, and nothing that a real
// server could not also do (no canned replies, every reply is encoded from the stored znode).
//
//   node bench/floor.mjs [--port 2181] [--host 127.0.0.1] [--io stream|handle]
//
//   --io stream   net.Socket with one static read buffer and one socket.write per read event (default)
//   --io handle   the same, but past net.Socket's Writable: the socket's own libuv handle is written to
//
// Prints "floor <port>" when it listens, then the server's pid, so that scripts can wait for it.

import net from 'node:net';
import { parseArgs } from 'node:util';

const OP = {
  CREATE: 1,
  DELETE: 2,
  EXISTS: 3,
  GET_DATA: 4,
  SET_DATA: 5,
  GET_CHILDREN: 8,
  PING: 11,
  GET_CHILDREN2: 12,
  CREATE2: 15,
  CLOSE_SESSION: -11,
};
const NO_NODE = -101;
const NODE_EXISTS = -110;
const UNIMPLEMENTED = -6;
const STAT_BYTES = 68;
const STAT_MZXID = 8;
const STAT_MTIME = 24;
const STAT_VERSION = 32;
const STAT_CVERSION = 36;
const STAT_DATA_LENGTH = 52;
const STAT_NUM_CHILDREN = 56;
const STAT_PZXID = 60;
const READ_BUFFER_BYTES = 64 * 1024;
const MAX_FRAME_BYTES = 0xfffff;

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '2181' },
    host: { type: 'string', default: '127.0.0.1' },
    io: { type: 'string', default: 'stream' },
  },
});

// One static read buffer and one reply buffer serve every connection: both are used only inside one
// read event, and whatever outlives it is copied.
const readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
let reply = Buffer.allocUnsafeSlow(256 * 1024);
let replyEnd = 0;
let isClosing = false;

/** path (latin1) -> { data, stat, children: Set of names } */
const znodes = new Map();
let zxid = 0;
let nextSession = 1;
addZnode('/', Buffer.alloc(0));

// process.binding hands out what net.Socket itself writes with; it is deprecated and may go, which is
// fine for a measurement and is why --io stream is the default.
const { WriteWrap, streamBaseState, kLastWriteWasAsync } =
  options.io === 'handle' ? process.binding('stream_wrap') : {};

class Connection {
  constructor(handle) {
    this.greeted = false;
    this.tail = undefined; // A frame that has not fully arrived.
    this.handle = handle;
    this.socket = new net.Socket({
      handle,
      readable: true,
      writable: true,
      onread: { buffer: readBuffer, callback: (length) => this.read(length) },
    });
    this.socket.on('error', () => this.socket.destroy());
    this.socket.setNoDelay(true);
    this.socket.resume();
  }

  read(length) {
    let bytes = readBuffer;
    let end = length;
    if (this.tail !== undefined) {
      bytes = Buffer.concat([this.tail, readBuffer.subarray(0, length)]);
      end = bytes.length;
      this.tail = undefined;
    }
    let at = 0;
    while (end - at >= 4) {
      const frameLength = bytes.readInt32BE(at);
      if (frameLength < 0 || frameLength > MAX_FRAME_BYTES) {
        this.socket.destroy();
        return true;
      }
      const frameEnd = at + 4 + frameLength;
      if (frameEnd > end) break;
      if (this.greeted) answer(bytes, at + 4);
      else this.greet(bytes, at + 4);
      at = frameEnd;
    }
    if (at < end) this.tail = Buffer.from(bytes.subarray(at, end));
    if (replyEnd > 0) this.flush();
    if (isClosing) {
      isClosing = false;
      this.socket.end();
    }
    return true;
  }

  greet(bytes, at) {
    this.greeted = true;
    ensure(4 + 37);
    reply.writeInt32BE(37, 0);
    reply.writeInt32BE(0, 4);
    reply.writeInt32BE(bytes.readInt32BE(at + 12), 8);
    reply.writeBigInt64BE(BigInt(nextSession++), 12);
    reply.writeInt32BE(16, 20);
    reply.fill(0, 24, 41);
    replyEnd = 41;
  }

  flush() {
    const bytes = reply.subarray(0, replyEnd);
    replyEnd = 0;
    // What the kernel took is done with at once; only a queued write keeps its bytes.
    const isQueued =
      options.io === 'handle' ? this.writeToHandle(bytes) : this.writeToStream(bytes);
    if (isQueued) reply = Buffer.allocUnsafeSlow(reply.length);
  }

  writeToStream(bytes) {
    this.socket.write(bytes);
    return this.handle.writeQueueSize > 0;
  }

  writeToHandle(bytes) {
    const request = idleRequest;
    const error = this.handle.writeBuffer(request, bytes);
    if (error !== 0) {
      this.socket.destroy();
      return false;
    }
    if (streamBaseState[kLastWriteWasAsync] === 0) return false;
    // libuv keeps this request and these bytes until they are out.
    request.bytes = bytes;
    idleRequest = newRequest();
    return true;
  }
}

let idleRequest = options.io === 'handle' ? newRequest() : undefined;

function newRequest() {
  const request = new WriteWrap();
  request.oncomplete = () => {};
  return request;
}

// pauseOnConnect leaves the accepted handle unread, so that it can be given to a socket of our own with
// `onread`, which net.Server has no option for.
const server = net.createServer({ pauseOnConnect: true }, (accepted) => {
  const handle = accepted._handle;
  accepted._handle = null;
  new Connection(handle);
});
server.listen({ port: Number(options.port), host: options.host, backlog: 2048 }, () => {
  console.log(`floor ${server.address().port} pid ${process.pid}`);
});

function answer(bytes, at) {
  const type = bytes.readInt32BE(at + 4);
  const start = replyEnd;
  ensure(4 + 16 + 4 + STAT_BYTES);
  bytes.copy(reply, start + 4, at, at + 4); // The xid.
  replyEnd = start + 20;
  let error = 0;
  switch (type) {
    case OP.GET_DATA:
    case OP.EXISTS: {
      const znode = znodes.get(pathAt(bytes, at + 8));
      if (znode === undefined) error = NO_NODE;
      else {
        if (type === OP.GET_DATA) putBuffer(znode.data);
        putStat(znode.stat);
      }
      break;
    }
    case OP.SET_DATA: {
      const pathLength = bytes.readInt32BE(at + 8);
      const znode = znodes.get(pathAt(bytes, at + 8));
      if (znode === undefined) error = NO_NODE;
      else {
        setData(znode, bytes, at + 12 + pathLength);
        putStat(znode.stat);
      }
      break;
    }
    case OP.CREATE:
    case OP.CREATE2: {
      const pathLength = bytes.readInt32BE(at + 8);
      error = create(bytes, at, pathLength, type);
      break;
    }
    case OP.DELETE: {
      error = remove(pathAt(bytes, at + 8));
      break;
    }
    case OP.GET_CHILDREN:
    case OP.GET_CHILDREN2: {
      const znode = znodes.get(pathAt(bytes, at + 8));
      if (znode === undefined) error = NO_NODE;
      else {
        ensure(4);
        reply.writeInt32BE(znode.children.size, replyEnd);
        replyEnd += 4;
        for (const name of znode.children) putString(name);
        if (type === OP.GET_CHILDREN2) putStat(znode.stat);
      }
      break;
    }
    case OP.PING:
      break;
    case OP.CLOSE_SESSION:
      isClosing = true;
      break;
    default:
      error = UNIMPLEMENTED;
  }
  putInt64(zxid, start + 8);
  reply.writeInt32BE(error, start + 16);
  reply.writeInt32BE(replyEnd - start - 4, start);
}

function create(bytes, at, pathLength, type) {
  let path = pathAt(bytes, at + 8);
  const dataAt = at + 12 + pathLength;
  const dataLength = Math.max(0, bytes.readInt32BE(dataAt));
  const flags = flagsOf(bytes, dataAt + 4 + dataLength);
  const slash = path.lastIndexOf('/');
  const parent = znodes.get(slash === 0 ? '/' : path.slice(0, slash));
  if (parent === undefined) return NO_NODE;
  if (flags === 2 || flags === 3) path += String(parent.created).padStart(10, '0');
  if (znodes.has(path)) return NODE_EXISTS;
  const znode = addZnode(path, Buffer.from(bytes.subarray(dataAt + 4, dataAt + 4 + dataLength)));
  parent.children.add(path.slice(slash + 1));
  parent.created += 1;
  parent.stat.writeInt32BE(parent.stat.readInt32BE(STAT_CVERSION) + 1, STAT_CVERSION);
  parent.stat.writeInt32BE(parent.children.size, STAT_NUM_CHILDREN);
  writeInt64(parent.stat, zxid, STAT_PZXID);
  putString(path);
  if (type === OP.CREATE2) putStat(znode.stat);
  return 0;
}

function remove(path) {
  if (!znodes.delete(path)) return NO_NODE;
  const slash = path.lastIndexOf('/');
  const parent = znodes.get(slash === 0 ? '/' : path.slice(0, slash));
  parent.children.delete(path.slice(slash + 1));
  parent.stat.writeInt32BE(parent.children.size, STAT_NUM_CHILDREN);
  zxid += 1;
  return 0;
}

function addZnode(path, data) {
  zxid += 1;
  const stat = Buffer.alloc(STAT_BYTES);
  const now = Date.now();
  writeInt64(stat, zxid, 0);
  writeInt64(stat, zxid, STAT_MZXID);
  writeInt64(stat, now, 16);
  writeInt64(stat, now, STAT_MTIME);
  stat.writeInt32BE(data.length, STAT_DATA_LENGTH);
  writeInt64(stat, zxid, STAT_PZXID);
  const znode = { data, stat, children: new Set(), created: 0 };
  znodes.set(path, znode);
  return znode;
}

function setData(znode, bytes, dataAt) {
  const length = Math.max(0, bytes.readInt32BE(dataAt));
  zxid += 1;
  if (znode.data.length === length) bytes.copy(znode.data, 0, dataAt + 4, dataAt + 4 + length);
  else znode.data = Buffer.from(bytes.subarray(dataAt + 4, dataAt + 4 + length));
  const { stat } = znode;
  writeInt64(stat, zxid, STAT_MZXID);
  writeInt64(stat, Date.now(), STAT_MTIME);
  stat.writeInt32BE(stat.readInt32BE(STAT_VERSION) + 1, STAT_VERSION);
  stat.writeInt32BE(length, STAT_DATA_LENGTH);
}

/** Skips the ACL list of a create and returns the flags after it. */
function flagsOf(bytes, at) {
  let count = bytes.readInt32BE(at);
  at += 4;
  for (; count > 0; count--) {
    at += 4;
    at += 4 + bytes.readInt32BE(at);
    at += 4 + bytes.readInt32BE(at);
  }
  return bytes.readInt32BE(at);
}

function pathAt(bytes, at) {
  return bytes.latin1Slice(at + 4, at + 4 + bytes.readInt32BE(at));
}

function putBuffer(data) {
  ensure(4 + data.length);
  reply.writeInt32BE(data.length, replyEnd);
  reply.set(data, replyEnd + 4);
  replyEnd += 4 + data.length;
}

function putString(text) {
  ensure(4 + text.length);
  reply.writeInt32BE(text.length, replyEnd);
  reply.latin1Write(text, replyEnd + 4);
  replyEnd += 4 + text.length;
}

function putStat(stat) {
  ensure(STAT_BYTES);
  reply.set(stat, replyEnd);
  replyEnd += STAT_BYTES;
}

function putInt64(value, at) {
  writeInt64(reply, value, at);
}

function writeInt64(bytes, value, at) {
  bytes.writeInt32BE(Math.floor(value / 2 ** 32), at);
  bytes.writeInt32BE(value | 0, at + 4);
}

function ensure(length) {
  if (replyEnd + length <= reply.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(reply.length * 2, replyEnd + length));
  reply.copy(larger, 0, 0, replyEnd);
  reply = larger;
}
