// A bounded search instead of chance: three members, two txns, two crashes, one cut. A case is a number; numbers in a
// row strike at every event of a short run, with every member, as Apache's TLA+ models were checked.

import type { FaultKind, Strike, ZabPlan } from './plan.ts';

const MEMBERS = 3;
/** Events of a run without a fault, until two txns are committed everywhere; more are never reached. */
export const SEARCH_EVENTS = 128;
/** A cut begins at every so manieth event. */
const CUT_STEP = 8;
const CUTS = 1 + MEMBERS * (SEARCH_EVENTS / CUT_STEP);

/** Cases with two crashes, without a cut. */
export const CRASH_CASES: number = 2 * (SEARCH_EVENTS * MEMBERS) ** 2;
/** All cases: those with a cut come after those without. */
export const SEARCH_CASES: number = CRASH_CASES * CUTS;

/** The plan of a case; the cases repeat beyond SEARCH_CASES. */
export function planOfCase(index: number): ZabPlan {
  let rest = index % SEARCH_CASES;
  const take = (radix: number): number => {
    const digit = rest % radix;
    rest = Math.floor(rest / radix);
    return digit;
  };
  const kind: FaultKind = take(2) === 0 ? 'kill' : 'power-cut';
  const strikes: Strike[] = [];
  for (let crash = 0; crash < 2; crash++) {
    const member = take(MEMBERS);
    strikes.push({ event: take(SEARCH_EVENTS), kind, member, pause: 6 });
  }
  const cut = rest;
  if (cut > 0) {
    const member = (cut - 1) % MEMBERS;
    const event = Math.floor((cut - 1) / MEMBERS) * CUT_STEP;
    strikes.push({ event, kind: 'isolate', member, pause: 30 });
  }
  strikes.sort((a, b) => a.event - b.event);
  return {
    seed: 1,
    storms: false,
    voters: MEMBERS,
    observers: 0,
    duration: 45,
    faults: [],
    triggers: [],
    strikes,
    scriptedTxns: 2,
    load: 0,
    committedLog: 1,
    syncFromLogs: true,
    forceSnapshots: false,
    drift: 0,
    hardCounter: 0,
  };
}
