// What was acknowledged is in the log, as it was asked for and as it was answered, once; and what is
// durable is there after recovery. An error that was answered stands in the log, too.

import { ErrorCode, formatZxid, OpCode, type TxnBody } from '@zebu/protocol';
import { demand } from '../violation.ts';
import { type Ask, describeAsk, describeStat, isWrite, sameAcl, sameStat } from '../wire.ts';
import type { MakeChecker } from './checker.ts';

const NAME = 'acknowledged';

export const acknowledged: MakeChecker = ({ oracle }) => {
  /** Highest zxid that any client was told. */
  let acknowledgedZxid = 0;
  /** Writes that were sent, by session and xid. */
  const asked = new Map<string, Ask>();
  return {
    name: NAME,

    sent({ sessionId }, ask) {
      if (isWrite(ask.type)) asked.set(`${sessionId}:${ask.xid}`, ask);
    },

    /** Every txn of a session is one that its client asked for, in its order, and only once. */
    issued({ txn, zxid }) {
      const { clientId, cxid, type } = txn.header;
      if (cxid === 0 || type === OpCode.createSession) return;
      const sessionId = BigInt.asUintN(64, clientId);
      const ask = asked.get(`${sessionId}:${cxid}`);
      demand(
        ask !== undefined,
        NAME,
        () => `txn ${formatZxid(zxid)} is for request #${cxid}, which nobody sent`,
      );
      for (let before = zxid - 1; before > 0; before--) {
        const { header } = oracle.entry(before)?.txn ?? {};
        if (header === undefined || header.clientId !== clientId || header.cxid === 0) continue;
        demand(
          header.cxid < cxid,
          NAME,
          () => `txn ${formatZxid(zxid)} of #${cxid} comes after that of #${header.cxid}`,
        );
        break;
      }
    },

    answered({ sessionId }, ask, answer) {
      if (answer.zxid > acknowledgedZxid) acknowledgedZxid = answer.zxid;
      if (!isWrite(ask.type)) return;
      const entry = oracle.entry(answer.zxid);
      const what = (): string => `${describeAsk(ask)}, answered with ${formatZxid(answer.zxid)}`;
      demand(entry !== undefined, NAME, () => `${what()}: there is no such txn`);
      const { header, body } = entry.txn;
      demand(
        BigInt.asUintN(64, header.clientId) === sessionId && header.cxid === ask.xid,
        NAME,
        () => `${what()}: that txn is for #${header.cxid} of 0x${header.clientId.toString(16)}`,
      );
      if (answer.error !== 0) {
        demand(
          body.type === OpCode.error && body.error === answer.error,
          NAME,
          () => `${what()}, error ${answer.error}: the txn is of type ${body.type}`,
        );
        return;
      }
      demand(body.type === ask.type, NAME, () => `${what()}: the txn is of type ${body.type}`);
      demand(fits(ask, body), NAME, () => `${what()}: the txn says otherwise`);
      const { stats } = entry.effect;
      if (answer.results !== undefined) {
        checkMulti(what, answer.results, body, stats);
      } else if (answer.stat !== undefined) {
        demand(
          sameStat(answer.stat, stats[0]),
          NAME,
          () => `${what()}: ${describeStat(answer.stat)} in place of ${describeStat(stats[0])}`,
        );
      }
      if (answer.path !== undefined) {
        demand(
          'path' in body && body.path === answer.path,
          NAME,
          () => `${what()}: path ${answer.path} in place of ${'path' in body ? body.path : '-'}`,
        );
      }
    },

    recovered({ zxid }) {
      const must = Math.max(acknowledgedZxid, oracle.durableZxid);
      demand(
        zxid >= must,
        NAME,
        () =>
          `recovered ${formatZxid(zxid)}, acknowledged ${formatZxid(acknowledgedZxid)}, ` +
          `durable ${formatZxid(oracle.durableZxid)}`,
      );
      demand(
        zxid <= oracle.lastZxid,
        NAME,
        () => `recovered ${formatZxid(zxid)}, never issued after ${formatZxid(oracle.lastZxid)}`,
      );
    },
  };
};

/** Whether a txn does what was asked for: path (but for a sequence), data, ACL. */
function fits(ask: Ask, body: TxnBody): boolean {
  if (body.type === OpCode.multi) {
    if (body.txns.length !== ask.parts.length) return false;
    if (body.txns.some((part) => part.type === OpCode.error)) return true;
    return body.txns.every((part, i) => {
      const { type, request } = ask.parts[i] as Ask['parts'][number];
      const path = request.path ?? '';
      if (part.type !== type || !('path' in part) || !part.path.startsWith(path)) return false;
      return !('data' in part && 'data' in request) || sameData(request.data, part.data);
    });
  }
  if ('path' in body && !body.path.startsWith(ask.path)) return false;
  if ('data' in body && !sameData(ask.data, body.data)) return false;
  return !('acl' in body) || sameAcl(ask.acl, body.acl ?? []);
}

function sameData(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : Buffer.compare(a, b) === 0;
}

function checkMulti(
  what: () => string,
  results: NonNullable<Parameters<NonNullable<ReturnType<MakeChecker>['answered']>>[2]['results']>,
  body: TxnBody,
  stats: readonly Parameters<typeof sameStat>[0][],
): void {
  const parts = body.type === OpCode.multi ? body.txns : [];
  demand(results.length === parts.length, NAME, () => `${what()}: ${results.length} results`);
  const failed = parts.some((part) => part.type === OpCode.error);
  let isBehindFailure = false;
  results.forEach((result, i) => {
    const part = parts[i] as TxnBody;
    if (failed) {
      // Parts before the one that failed answer 0, those after it RUNTIMEINCONSISTENCY.
      let error: number = isBehindFailure ? ErrorCode.RUNTIMEINCONSISTENCY : ErrorCode.OK;
      if (part.type === OpCode.error) {
        error = part.error;
        isBehindFailure = true;
      }
      demand(
        result.type === OpCode.error && result.error === error,
        NAME,
        () => `${what()}: result ${i} should be error ${error}`,
      );
      return;
    }
    demand(result.type === part.type, NAME, () => `${what()}: result ${i} is a ${result.type}`);
    if ('stat' in result) {
      demand(
        sameStat(result.stat, stats[i]),
        NAME,
        () => `${what()}: result ${i} has ${describeStat(result.stat)}`,
      );
    }
    if ('path' in result && 'path' in part) {
      demand(result.path === part.path, NAME, () => `${what()}: result ${i} is ${result.path}`);
    }
  });
}
