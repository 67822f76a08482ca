// A voter of zebu's parts and nothing around them: the core of @zebu/zab, the election links, a link to the leader, and a
// log in memory that is durable at once. It votes, follows and acks; of a snapshot it keeps the zxid, since it has no
// tree and no clients.

import {
  BARE_PACKET_BYTES,
  ByteWriter,
  PacketType,
  type PeerMessage,
  PeerStreamDecoder,
  parseQuorumConfig,
  printQuorumConfig,
  putBarePacket,
  readPeerMessage,
  writePeerMessage,
  type Zxid,
} from '@zebu/protocol';
import { ElectionLinks } from '@zebu/server/internal';
import { dialPeer, type Listener, type Network, nodeNetwork, type PeerLink } from '@zebu/transport';
import { type CoreMessage, DEFAULT_LIMITS, type Output, type Send, SendKind, Zab } from '@zebu/zab';
import type { ApacheEnsemble } from '../../src/apache-ensemble.ts';

const TICK_MS = 10;
/** What a leader may take until it listens: it is dialled again so often. */
const DIALS = 50;
const DIAL_PAUSE_MS = 100;

export class SmallVoter implements AsyncDisposable {
  readonly core: Zab;
  /** Lines of the log of its parts, for a test that fails. */
  readonly log: string[] = [];
  private readonly sid: number;
  private readonly ensemble: ApacheEnsemble;
  private readonly network: Network;
  private readonly links: ElectionLinks;
  private readonly configText: string;
  private listener: Listener | undefined;
  private ticks: NodeJS.Timeout | undefined;
  /** Zxids of what was proposed to it, in order. */
  private received: Zxid[] = [];
  private logged: Zxid[] = [];
  /** What a snapshot brought. */
  private baseZxid: Zxid = 0;
  private lastLink = 0;
  private leaderLink: { readonly number: number; readonly link: PeerLink } | undefined;
  /** The leader of this role is dialled, or its link is up. */
  private isFollowing = false;
  private isDriving = false;

  /** Takes the place of member `sid` of the ensemble. */
  constructor(ensemble: ApacheEnsemble, sid: number) {
    this.ensemble = ensemble;
    this.sid = sid;
    this.network = nodeNetwork();
    const lines = ensemble.sids.map((one) => `server.${one}=${ensemble.serverLine(one)}\n`);
    this.configText = printQuorumConfig(parseQuorumConfig(lines.join('')));
    this.core = new Zab(
      {
        sid,
        voters: ensemble.options.voters,
        observer: false,
        configVersion: 0,
        limits: {
          ...DEFAULT_LIMITS,
          init: 500,
          sync: 250,
          connect: 500,
          quorumCheck: 50,
          ping: 25,
        },
      },
      { acceptedEpoch: 0, currentEpoch: 0, lastZxid: 0, appliedZxid: 0, trust: 'vouched' },
      Math.random,
    );
    const say = (message: string, fields?: object) =>
      void this.log.push(`${message} ${JSON.stringify(fields)}`);
    this.links = new ElectionLinks(
      {
        sid,
        announced: { host: `zk${sid}.test`, port: ensemble.electionPort },
        addressesOf: (to) =>
          ensemble.sids.includes(to)
            ? [{ host: ensemble.ownAddress(to), port: ensemble.electionPort }]
            : undefined,
        network: this.network,
        scheduler: {
          afterTurn: (task) => void setImmediate(task),
          every: (intervalMs, task) => {
            const timer = setInterval(task, intervalMs);
            return () => clearInterval(timer);
          },
          after: (delayMs, task) => {
            const timer = setTimeout(task, delayMs);
            return () => clearTimeout(timer);
          },
        },
        logger: { debugEnabled: false, debug() {}, info: say, warn: say, error: say },
        preambleTimeoutMs: 2500,
      },
      {
        notification: (from, notification) => {
          this.core.notification(from, notification);
          this.drive();
        },
        unreachable: (to) => {
          this.core.memberUnreachable(to);
          this.drive();
        },
      },
    );
  }

  async start(): Promise<void> {
    const { ensemble, sid } = this;
    const target = { host: ensemble.ownAddress(sid), port: ensemble.electionPort };
    this.listener = await this.network.listen(target, this.links.accept);
    this.ticks = setInterval(() => {
      this.core.tick();
      this.drive();
    }, TICK_MS);
    this.drive();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.ticks);
    this.ticks = undefined;
    this.links.stop();
    this.leaderLink?.link.close();
    await this.listener?.close();
  }

  private get lastZxid(): Zxid {
    return this.logged.at(-1) ?? this.baseZxid;
  }

  private drive(): void {
    if (this.isDriving) return;
    this.isDriving = true;
    while (this.core.hasOutput) this.handle(this.core.takeOutput());
    this.isDriving = false;
    this.leaderLink?.link.flush();
  }

  private handle(output: Output): void {
    const { batch, appendTo, truncateAfter, leaving, change } = output;
    for (const { link, reason } of output.closes) {
      this.log.push(`link closed: ${reason.text}`);
      if (this.leaderLink?.number === link) this.closeLeaderLink();
    }
    if (leaving !== undefined) {
      this.log.push(`role over: ${leaving.reason.text}`);
      this.closeLeaderLink();
      this.isFollowing = false;
      this.received = [];
    }
    for (const send of output.sends) this.send(send);
    for (const { sid, notification } of output.votes) {
      this.links.send(sid, { ...notification, configText: this.configText });
    }
    if (truncateAfter >= 0) this.logged = this.logged.filter((zxid) => zxid <= truncateAfter);
    if (appendTo >= 0) {
      this.logged.push(...this.received.filter((zxid) => zxid <= appendTo));
      this.received = this.received.filter((zxid) => zxid > appendTo);
    }
    if (change !== undefined) {
      this.log.push(
        `${change.role}, ${change.phase}, leader ${change.leaderSid}: ${change.reason.text}`,
      );
      // Said again when the epoch is known: one link is enough.
      if (change.role === 'following' && change.phase === 'discovery' && !this.isFollowing) {
        this.isFollowing = true;
        this.dialLeader(change.leaderSid, DIALS);
      }
    }
    if (batch > 0) this.core.durable(batch);
    if (leaving !== undefined) this.core.drained(this.lastZxid, false);
  }

  private send({ link, kind, after, upTo, message }: Send): void {
    const leader = this.leaderLink;
    if (leader === undefined || leader.number !== link) return;
    if (kind === SendKind.MESSAGE) {
      const writer = new ByteWriter(256);
      writePeerMessage(writer, completed(message as CoreMessage));
      leader.link.send(writer.bytes, 0, writer.offset, NO_SLICES);
    } else if (kind === SendKind.ACKS) {
      for (const zxid of this.logged.filter((one) => one > after && one <= upTo)) {
        const at = leader.link.reserve(BARE_PACKET_BYTES);
        putBarePacket(leader.link.gather, at, PacketType.ACK, zxid);
      }
    } else {
      throw new Error(`A follower sends nothing of kind ${kind}`);
    }
  }

  private dialLeader(sid: number, dials: number): void {
    const number = ++this.lastLink;
    let isUp = false;
    let snapshotZxid = 0;
    let snapshotEnd = '';
    const decoder = new PeerStreamDecoder({ maxDataBytes: 1 << 21, maxAuthinfoBytes: 1 << 20 });
    const link = dialPeer(
      this.network,
      { host: this.ensemble.ownAddress(sid), port: this.ensemble.quorumPort },
      {
        connected: () => {
          isUp = true;
          this.leaderLink = { number, link };
          this.core.leaderConnected(number);
          this.drive();
        },
        data: (bytes, start, end) => {
          this.core.linkActive(number);
          decoder.push(bytes, start, end, {
            packet: (packet) => {
              this.take(number, packet.type, packet.zxid, readPeerMessage(packet));
              if (packet.type === PacketType.SNAP) {
                snapshotZxid = packet.zxid;
                decoder.enterRaw();
              }
              return true;
            },
            raw: (rawBytes, rawStart, rawEnd) => {
              const before = snapshotEnd.length;
              snapshotEnd += rawBytes.toString('latin1', rawStart, rawEnd);
              const at = snapshotEnd.indexOf(SNAPSHOT_SIGNATURE);
              if (at < 0) {
                snapshotEnd = snapshotEnd.slice(-SNAPSHOT_SIGNATURE.length);
                return rawEnd;
              }
              decoder.leaveRaw();
              this.logged = [];
              this.baseZxid = snapshotZxid;
              this.core.snapshotInstalled(snapshotZxid);
              return rawStart + at + SNAPSHOT_SIGNATURE.length - before;
            },
          });
          this.drive();
        },
        drained() {},
        closed: () => {
          if (isUp) this.core.linkClosed(number);
          else if (this.core.leaderSid !== sid || this.ticks === undefined) return;
          else if (dials > 1) setTimeout(() => this.dialLeader(sid, dials - 1), DIAL_PAUSE_MS);
          else this.core.leaderUnreachable();
          this.drive();
        },
      },
      { maxBacklogBytes: 1 << 20 },
    );
  }

  private take(link: number, type: number, zxid: Zxid, message: PeerMessage | undefined): void {
    if (type === PacketType.PROPOSAL) {
      this.received.push(zxid);
      this.core.receiveProposal(link, zxid);
    } else if (type === PacketType.COMMIT) {
      this.core.receiveCommit(link, zxid);
    } else if (message !== undefined) {
      this.core.receive(link, message as CoreMessage);
    }
  }

  private closeLeaderLink(): void {
    this.leaderLink?.link.close();
    this.leaderLink = undefined;
  }
}

/** What the core leaves to its host: a PING is answered with no sessions, not with nothing. */
function completed(message: CoreMessage): PeerMessage {
  if (message.type === PacketType.PING) return { ...message, type: message.type, touched: NOTHING };
  if (message.type === PacketType.NEWLEADER) throw new Error('A follower does not lead');
  return message as PeerMessage;
}

const SNAPSHOT_SIGNATURE = '\0\0\0\x0aBenWasHere';
const NOTHING = Buffer.alloc(0);
const NO_SLICES = {
  sliceReleased() {
    throw new Error('A short message was kept');
  },
};
