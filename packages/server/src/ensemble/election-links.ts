// The links between the election ports of an ensemble, one for each pair of members (QuorumCnxManager of 3.9.5).
//
//   send(sid) ─▶ pending (one, the newest) ─▶ link ─▶ the peer's port
//                     no link: dial, say who we are
//                         our sid is the larger one   the link stays
//                         our sid is the smaller one  close; the peer dials back
//
// The member with the larger sid dials and keeps the link; the one that is dialled by a smaller sid closes that connection
// and dials back, to the address that the peer announced. Nobody asks whether the peer is a member: joiners depend on
// it, so their number is bounded. What is sent last to a sid is sent again on each new link to it, since the peer may
// not have read it. Whatever a peer sends, the worst that happens is that its connection is closed.
//
// No promises: the owner binds the port and gives `accept` to the listener.

import { isIP } from 'node:net';
import {
  ByteWriter,
  type ElectionNotification,
  type ElectionPreamble,
  encodeNotification,
  FrameDecoder,
  formatHostAndPort,
  type HostAndPort,
  MAX_ELECTION_FRAME_BYTES,
  MAX_PREAMBLE_BYTES,
  MarshallingError,
  PREAMBLE_V1,
  ProtocolError,
  preambleLength,
  putInt32,
  readNotification,
  readPreamble,
  writePreamble,
} from '@zebu/protocol';
import {
  type Connection,
  type ConnectionHandler,
  type Network,
  TransportError,
} from '@zebu/transport';
import type { Scheduler } from '../environment.ts';
import type { Logger } from '../logger.ts';

/** What is sent to a member: its version is always 2. */
export type OutgoingNotification = Omit<ElectionNotification, 'version' | 'configText'> & {
  readonly configText: string;
};

/** The owner's side. Calls never come from within `send` or `stop`. */
export interface ElectionLinkEvents {
  notification(sid: number, notification: ElectionNotification): void;
  /** The member's port refused a connection, or its link ended: it does not take part in an election now. */
  unreachable(sid: number): void;
}

export interface ElectionLinksOptions {
  readonly sid: number;
  /** Where this member's election port is, as the others may dial it. */
  readonly announced: HostAndPort;
  /** Where a member listens for elections, asked anew at each attempt; undefined for a sid that is no member. */
  readonly addressesOf: (sid: number) => readonly HostAndPort[] | undefined;
  readonly network: Network;
  readonly scheduler: Scheduler;
  readonly logger: Logger;
  /** zookeeper.cnxTimeout. Default 5000. */
  readonly connectTimeoutMs?: number;
  /** How long an accepted connection may take to say who it is: tickTime x syncLimit. */
  readonly preambleTimeoutMs: number;
  /** TCP keep-alive probes (zookeeper.tcpKeepAlive). */
  readonly keepAlive?: boolean;
}

const CONNECT_TIMEOUT_MS = 5000;
/** Accepted connections that have not said who they are; one more is closed. */
export const MAX_UNKNOWN_CONNECTIONS = 64;
/** Sids outside the config that may have a link or be dialled back. */
export const MAX_STRANGERS = 16;
/** From one attempt to reach a sid to the next: the peer that we asked to dial back gets time to do so. */
const REDIAL_PAUSE_MS = 100;

export class ElectionLinks {
  readonly options: ElectionLinksOptions;
  readonly events: ElectionLinkEvents;
  private readonly peers: Map<number, Peer>;
  /** Accepted, without a preamble yet. */
  private readonly unknown: Set<Newcomer>;
  private isStopped: boolean;

  constructor(options: ElectionLinksOptions, events: ElectionLinkEvents) {
    this.options = options;
    this.events = events;
    this.peers = new Map();
    this.unknown = new Set();
    this.isStopped = false;
  }

  /** Sends to a member or to a peer that has a link. Replaces what waits for that sid. A sid that is neither is ignored. */
  send(sid: number, notification: OutgoingNotification): void {
    if (this.isStopped || sid === this.options.sid) return;
    const peer = this.peerFor(sid);
    if (peer === undefined) return;
    peer.send(frameOf(encodeNotification(notification)));
  }

  isConnectedTo(sid: number): boolean {
    return this.peers.get(sid)?.isConnected ?? false;
  }

  /** The acceptor of the listener on the election port. */
  readonly accept = (connection: Connection): ConnectionHandler => {
    const newcomer = new Newcomer(this, connection);
    if (this.isStopped || this.unknown.size >= MAX_UNKNOWN_CONNECTIONS) {
      if (!this.isStopped) {
        this.options.logger.warn(
          'Too many connections to the election port that do not say who they are',
          {
            from: addressOf(connection),
            limit: MAX_UNKNOWN_CONNECTIONS,
          },
        );
      }
      connection.destroy();
      return newcomer;
    }
    this.unknown.add(newcomer);
    newcomer.startTimer();
    return newcomer;
  };

  /** Closes every connection. Nothing is called afterwards. */
  stop(): void {
    this.isStopped = true;
    for (const newcomer of this.unknown) newcomer.drop();
    this.unknown.clear();
    for (const peer of this.peers.values()) peer.stop();
    this.peers.clear();
  }

  /** @internal A connection that said who it is; `rest` came after it. */
  introduced(newcomer: Newcomer, preamble: ElectionPreamble): void {
    this.unknown.delete(newcomer);
    const { connection } = newcomer;
    const { logger, sid: own } = this.options;
    const { sid, addresses } = preamble;
    if (sid === undefined) {
      logger.warn(
        'An observer without an id of its own is refused on the election port: give it a myid',
        {
          from: addressOf(connection),
        },
      );
      connection.end();
      return;
    }
    if (sid === own) {
      logger.warn('A server with the id of this one dialled its election port', {
        sid,
        from: addressOf(connection),
      });
      connection.destroy();
      return;
    }
    const peer = this.peers.get(sid) ?? this.welcome(sid, connection);
    if (peer === undefined) {
      connection.end();
      return;
    }
    this.noteOrigin(peer, connection);
    if (addresses.length > 0) peer.announced = addresses;
    if (sid > own) {
      peer.adopt(connection);
      return;
    }
    // It may have restarted: what we think is a link to it is none any more.
    connection.end();
    peer.dropLink();
    peer.dialBack();
  }

  /**
   * Nobody is refused for an address: a network may translate it. But a server that is elsewhere than the config says is
   * most often another ensemble's, or nobody's.
   */
  private noteOrigin(peer: Peer, { remoteAddress, remotePort }: Connection): void {
    const { addressesOf, logger } = this.options;
    const host = remoteAddress.replace(/^::ffff:/, '');
    const hosts = addressesOf(peer.sid)?.map((one) => one.host) ?? [];
    if (peer.warnedOf === host || hosts.length === 0 || hosts.includes(host)) return;
    // Only numbers can be compared without asking the resolver.
    if (isIP(host) === 0 || !hosts.every((one) => isIP(one) === isIP(host))) return;
    peer.warnedOf = host;
    logger.warn(
      'A server dials the election port from another address than the config has for it',
      {
        sid: peer.sid,
        from: formatHostAndPort({ host, port: remotePort }),
        config: hosts.join(','),
      },
    );
  }

  /** @internal */
  forgetNewcomer(newcomer: Newcomer): void {
    this.unknown.delete(newcomer);
  }

  /** @internal A stranger is kept only as long as there is something to keep. */
  forgetStranger(peer: Peer): void {
    if (this.options.addressesOf(peer.sid) === undefined && this.peers.get(peer.sid) === peer) {
      this.peers.delete(peer.sid);
    }
  }

  private peerFor(sid: number): Peer | undefined {
    const known = this.peers.get(sid);
    if (known !== undefined || this.options.addressesOf(sid) === undefined) return known;
    const peer = new Peer(this, sid);
    this.peers.set(sid, peer);
    return peer;
  }

  /** Makes room for a sid that dialled us, if it may have some. */
  private welcome(sid: number, connection: Connection): Peer | undefined {
    const member = this.peerFor(sid);
    if (member !== undefined) return member;
    let strangers = 0;
    for (const one of this.peers.keys()) {
      if (this.options.addressesOf(one) === undefined) strangers++;
    }
    if (strangers >= MAX_STRANGERS) {
      this.options.logger.warn('Too many servers outside the config on the election port', {
        sid,
        from: addressOf(connection),
        limit: MAX_STRANGERS,
      });
      return undefined;
    }
    const peer = new Peer(this, sid);
    this.peers.set(sid, peer);
    return peer;
  }
}

/** An accepted connection until its preamble is whole. */
class Newcomer implements ConnectionHandler {
  readonly connection: Connection;
  private readonly links: ElectionLinks;
  private readonly preamble: Buffer;
  private length: number;
  private cancelTimer: () => void;

  constructor(links: ElectionLinks, connection: Connection) {
    this.links = links;
    this.connection = connection;
    this.preamble = Buffer.allocUnsafe(MAX_PREAMBLE_BYTES);
    this.length = 0;
    this.cancelTimer = () => {};
  }

  startTimer(): void {
    const { scheduler, preambleTimeoutMs } = this.links.options;
    this.cancelTimer = scheduler.after(preambleTimeoutMs, () => {
      this.refuse(`no first message within ${preambleTimeoutMs} ms`);
    });
  }

  data(bytes: Buffer, start: number, end: number): void {
    let at = start;
    let preamble: ElectionPreamble;
    try {
      for (;;) {
        const needed = preambleLength(this.preamble, 0, this.length) - this.length;
        if (needed === 0) break;
        const taken = Math.min(needed, end - at);
        bytes.copy(this.preamble, this.length, at, at + taken);
        this.length += taken;
        at += taken;
        if (taken < needed) return;
      }
      preamble = readPreamble(this.preamble, 0, this.length);
    } catch (error) {
      if (!(error instanceof MarshallingError)) throw error;
      this.refuse(error.message);
      return;
    }
    this.cancelTimer();
    this.links.introduced(this, preamble);
    // Its link, if it has become one, goes on with what came after.
    if (at < end && this.connection.handler !== this) this.connection.handler.data(bytes, at, end);
  }

  drop(): void {
    this.cancelTimer();
    this.connection.destroy();
  }

  drained(): void {}

  closed(): void {
    this.cancelTimer();
    this.links.forgetNewcomer(this);
  }

  private refuse(why: string): void {
    this.links.options.logger.warn('A connection to the election port is closed', {
      from: addressOf(this.connection),
      why,
    });
    this.links.forgetNewcomer(this);
    this.drop();
  }
}

/** What is known of one sid, and the way to it. */
class Peer {
  readonly sid: number;
  /** What it said of itself when it dialled last. */
  announced: readonly HostAndPort[] | undefined;
  /** Where it dialled from last, if that was not where the config says it is. */
  warnedOf: string | undefined;
  private readonly links: ElectionLinks;
  private link: Link | undefined;
  private attempt: Attempt | undefined;
  /** The frame that waits for a link, or for the link to take it. */
  private pending: Buffer | undefined;
  /** The frame that was given to a link last. */
  private last: Buffer | undefined;
  /** Set for a moment after an attempt: it calls the pause off. */
  private endPause: (() => void) | undefined;
  /** In that moment something was sent, or the link ended. */
  private dialAfterPause: boolean;
  private lostInPause: boolean;
  /** Of the last failure that was logged: the same one is not logged again and again. */
  private loggedFailure: string | undefined;

  constructor(links: ElectionLinks, sid: number) {
    this.links = links;
    this.sid = sid;
    this.announced = undefined;
    this.warnedOf = undefined;
    this.link = undefined;
    this.attempt = undefined;
    this.pending = undefined;
    this.last = undefined;
    this.endPause = undefined;
    this.dialAfterPause = false;
    this.lostInPause = false;
    this.loggedFailure = undefined;
  }

  get isConnected(): boolean {
    return this.link !== undefined;
  }

  send(frame: Buffer): void {
    this.pending = frame;
    if (this.link !== undefined) this.writePending();
    else this.dial(this.links.options.addressesOf(this.sid) ?? this.announced ?? []);
  }

  /** The peer has dialled and its sid is the larger one. */
  adopt(connection: Connection): void {
    this.dropLink();
    this.attempt?.cancel();
    this.attempt = undefined;
    this.linkUp(connection);
  }

  /** The peer has dialled and waits for us to do so: where it says it is, else where the config says. */
  dialBack(): void {
    this.callOffPause();
    this.dial(this.announced ?? this.links.options.addressesOf(this.sid) ?? []);
  }

  dropLink(): void {
    const { link } = this;
    this.link = undefined;
    link?.drop();
  }

  stop(): void {
    this.dropLink();
    this.attempt?.cancel();
    this.attempt = undefined;
    this.callOffPause();
  }

  /** The link took what it was given. */
  linkDrained(): void {
    if (this.pending !== undefined) this.writePending();
  }

  /** Its link ended by itself. */
  linkClosed(reason: Error | undefined): void {
    this.link = undefined;
    const { logger } = this.links.options;
    logger.info('Election link down', {
      sid: this.sid,
      reason: reason?.message ?? 'ended by the peer',
    });
    // It may have ended this link because we dialled, and dial back now.
    if (this.endPause !== undefined) {
      this.lostInPause = true;
      return;
    }
    this.links.forgetStranger(this);
    this.links.events.unreachable(this.sid);
  }

  attemptUp(attempt: Attempt, connection: Connection): void {
    if (this.attempt !== attempt) return;
    this.attempt = undefined;
    this.loggedFailure = undefined;
    const { sid: own, announced } = this.links.options;
    const writer = new ByteWriter(64);
    writePreamble(writer, { version: PREAMBLE_V1, sid: own, addresses: [announced] });
    // In one segment: Apache reads the address with a single read.
    connection.write(writer.bytes, 0, writer.offset);
    if (this.sid > own) {
      // It dials back.
      connection.end();
      this.pause();
      return;
    }
    this.dropLink();
    this.linkUp(connection);
  }

  attemptFailed(attempt: Attempt, reason: Error | undefined): void {
    if (this.attempt !== attempt) return;
    this.attempt = undefined;
    this.logFailure(attempt, reason);
    this.pause();
    const isRefused = reason instanceof TransportError && reason.code === 'CONNECT_FAILED';
    if (isRefused) this.links.events.unreachable(this.sid);
  }

  private linkUp(connection: Connection): void {
    this.link = new Link(this, this.links, connection);
    this.links.options.logger.info('Election link up', {
      sid: this.sid,
      with: addressOf(connection),
    });
    this.pending ??= this.last;
    if (this.pending !== undefined) this.writePending();
  }

  private writePending(): void {
    const { link, pending } = this;
    if (link === undefined || pending === undefined || !link.isReady) return;
    this.pending = undefined;
    this.last = pending;
    link.write(pending);
  }

  private dial(addresses: readonly HostAndPort[]): void {
    if (this.link !== undefined || this.attempt !== undefined) return;
    if (this.endPause !== undefined) {
      this.dialAfterPause = true;
      return;
    }
    if (addresses.length === 0) {
      this.links.forgetStranger(this);
      return;
    }
    this.attempt = new Attempt(this, this.links.options, addresses);
    this.attempt.next(undefined);
  }

  private pause(): void {
    this.callOffPause();
    this.endPause = this.links.options.scheduler.after(REDIAL_PAUSE_MS, () => {
      const { dialAfterPause, lostInPause, pending } = this;
      this.callOffPause();
      if (this.link !== undefined) return;
      if (dialAfterPause && pending !== undefined) this.send(pending);
      else this.links.forgetStranger(this);
      if (lostInPause) this.links.events.unreachable(this.sid);
    });
  }

  private callOffPause(): void {
    this.endPause?.();
    this.endPause = undefined;
    this.dialAfterPause = false;
    this.lostInPause = false;
  }

  private logFailure(attempt: Attempt, reason: Error | undefined): void {
    const why = reason?.message ?? 'closed by the peer';
    if (why === this.loggedFailure) return;
    this.loggedFailure = why;
    this.links.options.logger.warn('Cannot reach the election port of a server', {
      sid: this.sid,
      at: attempt.addresses.map(formatHostAndPort).join(','),
      why,
    });
  }
}

/** One try to open a connection to a sid, at each of its addresses in turn. */
class Attempt {
  readonly addresses: readonly HostAndPort[];
  private readonly peer: Peer;
  private readonly options: ElectionLinksOptions;
  private tried: number;
  private connection: Connection | undefined;
  private isOver: boolean;

  constructor(peer: Peer, options: ElectionLinksOptions, addresses: readonly HostAndPort[]) {
    this.peer = peer;
    this.options = options;
    this.addresses = addresses;
    this.tried = 0;
    this.connection = undefined;
    this.isOver = false;
  }

  next(reason: Error | undefined): void {
    if (this.isOver) return;
    const address = this.addresses[this.tried++];
    if (address === undefined) {
      this.isOver = true;
      this.peer.attemptFailed(this, reason);
      return;
    }
    const { network, connectTimeoutMs = CONNECT_TIMEOUT_MS, keepAlive = false } = this.options;
    const connection = network.dial(
      { host: address.host, port: address.port, connectTimeoutMs, keepAlive },
      {
        connected: () => {
          if (this.isOver) return;
          this.isOver = true;
          connection.handler = IGNORED;
          this.peer.attemptUp(this, connection);
        },
        data: () => {},
        drained: () => {},
        closed: (why) => this.next(why),
      },
    );
    this.connection = connection;
  }

  cancel(): void {
    this.isOver = true;
    this.connection?.destroy();
  }
}

/** A connection over which notifications go both ways. */
class Link implements ConnectionHandler {
  private readonly peer: Peer;
  private readonly links: ElectionLinks;
  private readonly connection: Connection;
  private readonly decoder: FrameDecoder;
  private isDropped: boolean;

  constructor(peer: Peer, links: ElectionLinks, connection: Connection) {
    this.peer = peer;
    this.links = links;
    this.connection = connection;
    this.decoder = new FrameDecoder(MAX_ELECTION_FRAME_BYTES);
    this.isDropped = false;
    connection.handler = this;
  }

  /** Whether the last frame has left, so that the next one need not wait as the pending one. */
  get isReady(): boolean {
    return this.connection.queuedBytes === 0;
  }

  write(frame: Buffer): void {
    this.connection.write(frame, 0, frame.length);
  }

  /** Closes without a word to the peer: another link takes its place, or none is wanted. */
  drop(): void {
    this.isDropped = true;
    this.connection.destroy();
  }

  data(bytes: Buffer, start: number, end: number): void {
    if (this.isDropped) return;
    try {
      this.decoder.push(bytes, start, end, this.takeFrame);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.connection.destroy(error);
    }
  }

  drained(): void {
    if (!this.isDropped) this.peer.linkDrained();
  }

  closed(reason?: Error): void {
    if (!this.isDropped) this.peer.linkClosed(reason);
  }

  private readonly takeFrame = (bytes: Buffer, start: number, end: number): boolean => {
    if (start === end) {
      throw new ProtocolError('FRAME_TOO_SHORT', { length: 0, limit: 1 });
    }
    let notification: ElectionNotification;
    try {
      notification = readNotification(bytes, start, end);
    } catch (error) {
      if (!(error instanceof MarshallingError)) throw error;
      // As Apache does: the message is left out, the link stays.
      this.links.options.logger.warn('A notification that cannot be read is left out', {
        sid: this.peer.sid,
        why: error.message,
      });
      return true;
    }
    this.links.events.notification(this.peer.sid, notification);
    return !this.isDropped;
  };
}

function frameOf(payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafeSlow(4 + payload.length);
  payload.copy(frame, putInt32(frame, 0, payload.length));
  return frame;
}

function addressOf({ remoteAddress, remotePort }: Connection): string {
  return formatHostAndPort({ host: remoteAddress, port: remotePort });
}

const IGNORED: ConnectionHandler = { data() {}, drained() {}, closed() {} };
