// Faults in several acts: states that single faults seldom lead to, because a client must ask the right member for the
// right thing at the right moment.
//
//   stale leader                  cut off, it stands still until the others have another one; then clients ask it
//   learner cut from its leader   it hears nothing of what is committed, and a client asks it for a sync
//   learner with a slow disk      it hears of commits that its disk does not have yet, and a client asks it for a sync
//   member misses an epoch        it comes back to txns of an epoch that its disk does not know, and dies, or its disk fails
//   leader stands still ...       for longer than a session lives, and not so long that its followers leave it
//   leader dies far ahead         alone it logs more than one file, is killed, comes back, and is killed once more
//   client goes on without ...    a learner stands still with its requests; it makes more elsewhere before those are done
//
// Where a scene needs a leader, a follower or two clients and there is none, it does not take place.

import { OpCode } from '@zebu/protocol';
import { PING } from '../sim-client.ts';
import type { Ask } from '../wire.ts';
import { type EnsembleFault, type FaultKind, SCENES, type SceneKind } from './plan.ts';
import type { SimMember } from './sim-member.ts';

/** A client, as far as a scene directs it. */
export interface Actor {
  /** The member that it goes to; undefined: one after the other. */
  target: SimMember | undefined;
  /** It makes no requests but those of its script. */
  isQuiet: boolean;
  /** Requests that come next. */
  readonly script: Omit<Ask, 'xid'>[];
  /** How many requests it may have in flight. */
  depth: number;
  /** Leaves the member where it is, if that is not its target. */
  move(): void;
  /** Sends what it may. */
  pump(): void;
}

/** What a scene has at hand. */
export interface Stage {
  readonly members: readonly SimMember[];
  readonly actors: readonly Actor[];
  readonly sessionMs: number;
  /** Runs `act` after so many ms, unless everything heals before that. */
  after(delayMs: number, act: () => void): void;
  cut(some: readonly SimMember[], others: readonly SimMember[]): void;
  cutOneWay(from: SimMember, to: SimMember): void;
  heal(): void;
  /** For so long all that is sent arrives in pieces. */
  cutStreams(forMs: number): void;
  /** Members may not hear of clients for so long. */
  disturb(forMs: number): void;
  count(what: string): void;
}

const SYNC_AND_READ: readonly Omit<Ask, 'xid'>[] = [
  { ...PING, type: OpCode.sync, path: '/' },
  { ...PING, type: OpCode.getData, path: '/' },
];

/** Ms for clients to be where they shall be. */
const GATHERING_MS = 100;
/** Less than the time in which a follower finds its leader silent. */
const SHORT_MS = 350;

export function isScene(kind: FaultKind): kind is SceneKind {
  return (SCENES as readonly FaultKind[]).includes(kind);
}

export function playScene(stage: Stage, fault: EnsembleFault): void {
  if (fault.kind === 'stale leader') playStaleLeader(stage, fault);
  else if (fault.kind === 'member misses an epoch') playMissedEpoch(stage, fault);
  else if (fault.kind === 'leader dies far ahead') playFarAhead(stage, fault);
  else if (fault.kind === 'client goes on without a paused learner') playGoingOn(stage, fault);
  else if (fault.kind === 'leader stands still for the time of a session') {
    playStandingStill(stage, fault);
  } else playLearnerBehind(stage, fault);
}

/** Writes of a client, to '/': everybody's reads of that show them. */
export function writes(count: number): Omit<Ask, 'xid'>[] {
  return Array.from({ length: count }, (_, index) => ({
    ...PING,
    type: OpCode.setData,
    path: '/',
    data: Buffer.from(`scripted ${index}`),
    number: -1,
  }));
}

export function leaderOf(members: readonly SimMember[]): SimMember | undefined {
  return members.find(({ mode, isServing }) => mode === 'leader' && isServing);
}

function playStaleLeader(stage: Stage, { member, seed }: EnsembleFault): void {
  const { members } = stage;
  const leader = leaderOf(members);
  const [asker, writer] = castOf(stage, member);
  if (leader === undefined || writer === undefined) return;
  const others = members.filter((one) => one !== leader);
  gather(stage, { asker, at: leader, others });
  stage.after(GATHERING_MS, () => {
    const process = leader.process;
    const stillMs = 800 + (seed % 500);
    stage.cut(others, [leader]);
    process.stall(stillMs);
    stage.disturb(stillMs + 500);
    stage.after(stillMs - 30, () => writer.script.push(...writes(3)));
    stage.after(stillMs + 2, () => {
      if (leaderOf(others) === undefined || leader.mode !== 'leader') return;
      stage.count('stale leader, in truth');
      askAgain(stage, asker, 400);
      // What it has seen of the new leader, this one has not.
      writer.target = leader;
      writer.move();
      writer.script.push(...SYNC_AND_READ);
    });
    stage.after(stillMs + 500, () => {
      stage.heal();
      release(stage);
    });
  });
}

function playLearnerBehind(stage: Stage, { kind, member, other, seed }: EnsembleFault): void {
  const { members } = stage;
  const leader = leaderOf(members);
  const followers = members.filter(({ mode, isServing }) => mode === 'follower' && isServing);
  const learner = followers[other % Math.max(1, followers.length)];
  const [asker, writer] = castOf(stage, member);
  if (leader === undefined || learner === undefined || writer === undefined) return;
  gather(stage, { asker, at: learner, others: members.filter((one) => one !== learner) });
  stage.after(GATHERING_MS, () => {
    const forMs = 200 + (seed % (SHORT_MS - 200));
    if (kind === 'learner with a slow disk') learner.slowDisk(forMs);
    else stage.cutOneWay(leader, learner);
    stage.disturb(forMs);
    writer.script.push(...writes(3));
    stage.after(40, () => askAgain(stage, asker, forMs - 40));
    stage.after(forMs, () => {
      stage.heal();
      release(stage);
    });
  });
}

function playMissedEpoch(stage: Stage, { member, other, seed }: EnsembleFault): void {
  const { members } = stage;
  const leader = leaderOf(members);
  const followers = members.filter(({ mode }) => mode === 'follower');
  const missing = followers[other % Math.max(1, followers.length)];
  const [, writer] = castOf(stage, member);
  if (leader === undefined || missing === undefined || writer === undefined) return;
  const others = members.filter((one) => one !== missing);
  gather(stage, { asker: undefined, at: missing, others });
  writer.depth = 8;
  stage.after(GATHERING_MS, () => {
    stage.disturb(2_000);
    missing.kill();
    // It misses the end of one epoch, too.
    writer.script.push(...writes(8));
  });
  stage.after(GATHERING_MS + 120, () => leader.kill());
  stage.after(GATHERING_MS + 260, () => leader.start());
  const comeBack = (triesLeft: number): void => {
    if (leaderOf(members) === undefined) {
      if (triesLeft > 0) stage.after(25, () => comeBack(triesLeft - 1));
      return;
    }
    writer.script.push(...writes(4));
    stage.after(GATHERING_MS, () => {
      stage.count('member misses an epoch, in truth');
      if (seed % 2 === 0) missing.diesAhead = true;
      else missing.disk.injectFault({ operation: 'writeDurable', path: 'log.' });
      // The end of one epoch is being written while the next one is being prepared.
      stage.cutStreams(3 * GATHERING_MS);
      missing.start();
    });
    // Once it is down, an operator comes by.
    for (let at = 300; at <= 900; at += 200) stage.after(GATHERING_MS + at, () => missing.start());
    stage.after(GATHERING_MS + 300, () => release(stage));
  };
  stage.after(GATHERING_MS + 300, () => comeBack(60));
}

function playStandingStill(stage: Stage, { seed }: EnsembleFault): void {
  const leader = leaderOf(stage.members);
  if (leader === undefined) return;
  const stillMs = stage.sessionMs + 100 + (seed % 60);
  // Clients ask for nothing that would wait for the leader, and are heard of by their followers all the time.
  const others = stage.members.filter((one) => one !== leader);
  for (const actor of stage.actors) actor.isQuiet = true;
  gather(stage, { asker: undefined, at: leader, others });
  stage.after(2 * GATHERING_MS, () => {
    for (const actor of stage.actors) actor.isQuiet = true;
    stage.count('leader stands still for the time of a session, in truth');
    leader.process.stall(stillMs);
    stage.after(stillMs + 200, () => release(stage));
  });
}

function playFarAhead(stage: Stage, { forMs, seed }: EnsembleFault): void {
  const { members, actors } = stage;
  const leader = leaderOf(members);
  if (leader === undefined) return;
  const others = members.filter((one) => one !== leader);
  gather(stage, { asker: undefined, at: leader, others: [leader] });
  stage.after(GATHERING_MS, () => {
    stage.count('leader dies far ahead, in truth');
    stage.disturb(1_500 + forMs);
    stage.cut(others, [leader]);
    for (const actor of actors) {
      actor.depth = 8;
      actor.script.push(...writes(8));
    }
    stage.after(150, () => {
      leader.kill();
      stage.heal();
      release(stage);
    });
    stage.after(700, () => leader.start());
    // Before it has a snapshot of what is right.
    stage.after(800 + (seed % 150), () => leader.kill());
    stage.after(1_000, () => leader.start());
  });
}

function playGoingOn(stage: Stage, { member, other, seed }: EnsembleFault): void {
  const { members, actors } = stage;
  const learners = members.filter(({ mode, isServing }) => mode !== 'leader' && isServing);
  const learner = learners[other % Math.max(1, learners.length)];
  const client = actors[member % actors.length];
  const leader = leaderOf(members);
  if (learner === undefined || client === undefined || leader === undefined) return;
  client.target = learner;
  client.move();
  client.depth = 4;
  client.isQuiet = true;
  stage.after(GATHERING_MS, () => {
    stage.count('client goes on without a paused learner, in truth');
    stage.disturb(SHORT_MS);
    client.script.push(...writes(8));
    client.pump();
    learner.process.stall(150 + (seed % (SHORT_MS - 150)));
    client.target = seed % 2 === 0 ? leader : members.find((one) => one !== learner);
    client.move();
    stage.after(SHORT_MS, () => release(stage));
  });
}

/** Who asks, and who writes. */
function castOf({ actors }: Stage, first: number): [Actor, Actor] | [undefined, undefined] {
  const asker = actors[first % actors.length];
  const writer = actors[(first + 1) % actors.length];
  return asker === undefined || writer === undefined || asker === writer
    ? [undefined, undefined]
    : [asker, writer];
}

/** One client is alone at a member: a learner that waits for other requests answers a sync later anyway. */
function gather(
  { actors }: Stage,
  { asker, at, others }: { asker: Actor | undefined; at: SimMember; others: readonly SimMember[] },
): void {
  actors.forEach((actor, index) => {
    actor.target = actor === asker ? at : others[index % others.length];
    actor.isQuiet = actor === asker;
    actor.move();
  });
}

function release({ actors }: Stage): void {
  for (const actor of actors) {
    actor.target = undefined;
    actor.isQuiet = false;
    actor.script.length = 0;
  }
}

function askAgain(stage: Stage, asker: Actor, forMs: number): void {
  for (let atMs = 0; atMs < forMs; atMs += 40) {
    stage.after(atMs, () => {
      if (asker.script.length === 0) asker.script.push(...SYNC_AND_READ);
    });
  }
}
