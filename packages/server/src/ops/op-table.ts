// The only place that knows which operations exist and what each of them is.
//
//   read        answers from the tree at once, and waits for the connection's own writes
//   prepare     decides a txn against the tree as it will be; answered when that txn is applied
//   run         answers at once and out of order, before any check: auth and sasl
//
// An opcode that is not here is answered UNIMPLEMENTED and its connection closed, as Apache does.
// Absent on purpose: check outside a multi; createSession and deleteContainer from a client, which
// Apache takes without any check (docs/decisions/030-client-operations.md).

import { type ByteReader, OpCode } from '@zebu/protocol';
import type { Preparation } from '../txns/preparation.ts';
import { addWatch } from './add-watch.ts';
import { auth } from './auth.ts';
import { checkWatches, removeWatches } from './check-watches.ts';
import { prepareCloseSession } from './close-session.ts';
import { prepareCreate, prepareCreateContainer, prepareCreateTTL } from './create.ts';
import { prepareDelete } from './delete.ts';
import { exists } from './exists.ts';
import { getACL } from './get-acl.ts';
import { getAllChildrenNumber } from './get-all-children-number.ts';
import { getChildren, getChildren2 } from './get-children.ts';
import { getData } from './get-data.ts';
import { getEphemerals } from './get-ephemerals.ts';
import { prepareMulti } from './multi.ts';
import { multiRead } from './multi-read.ts';
import type { Read, Run } from './read-context.ts';
import { prepareReconfig } from './reconfig.ts';
import { sasl } from './sasl.ts';
import { prepareSetACL } from './set-acl.ts';
import { prepareSetData } from './set-data.ts';
import { setWatches, setWatches2 } from './set-watches.ts';
import { ping, sync } from './sync.ts';
import { whoAmI } from './who-am-i.ts';

/** Reads the request body, writes the txn body, returns an error code (0: fine). */
export type Prepare = (preparation: Preparation, request: ByteReader) => number;

export interface Operation {
  readonly type: number;
  /** What the word `cons` calls it, four letters mostly. */
  readonly label: string;
  readonly read: Read | undefined;
  readonly prepare: Prepare | undefined;
  readonly run: Run | undefined;
  /** A read that sends events of its own before its reply, which has no body. */
  readonly sendsEvents: boolean;
  /** sync: on a member of an ensemble it waits for the leader, in its place among the client's writes. */
  readonly isBarrier: boolean;
}

const LOWEST = OpCode.closeSession;
const HIGHEST = OpCode.whoAmI;
const TABLE: (Operation | undefined)[] = new Array(HIGHEST - LOWEST + 1).fill(undefined);

/** The operation of an opcode that a client may send; undefined for all others. */
export function operationOf(type: number): Operation | undefined {
  return type < LOWEST || type > HIGHEST ? undefined : TABLE[type - LOWEST];
}

/** What the word `cons` calls a request type, no matter who may send it. */
export function labelOf(type: number): string {
  return operationOf(type)?.label ?? 'NA';
}

function define(
  type: number,
  label: string,
  does: {
    read?: Read;
    prepare?: Prepare;
    run?: Run;
    sendsEvents?: boolean;
    isBarrier?: boolean;
  },
): void {
  TABLE[type - LOWEST] = {
    type,
    label,
    read: does.read,
    prepare: does.prepare,
    run: does.run,
    sendsEvents: does.sendsEvents ?? false,
    isBarrier: does.isBarrier ?? false,
  };
}

define(OpCode.exists, 'EXIS', { read: exists });
define(OpCode.getData, 'GETD', { read: getData });
define(OpCode.getACL, 'GETA', { read: getACL });
define(OpCode.getChildren, 'GETC', { read: getChildren });
define(OpCode.getChildren2, 'GETC', { read: getChildren2 });
define(OpCode.getEphemerals, 'GETE', { read: getEphemerals });
define(OpCode.getAllChildrenNumber, 'GETACN', { read: getAllChildrenNumber });
define(OpCode.multiRead, 'MLTR', { read: multiRead });
define(OpCode.sync, 'SYNC', { read: sync, isBarrier: true });
define(OpCode.ping, 'PING', { read: ping });
define(OpCode.whoAmI, 'HOMI', { read: whoAmI });
define(OpCode.addWatch, 'ADDW', { read: addWatch });
define(OpCode.checkWatches, 'CHKW', { read: checkWatches });
define(OpCode.removeWatches, 'REMW', { read: removeWatches });
define(OpCode.setWatches, 'SETW', { read: setWatches, sendsEvents: true });
define(OpCode.setWatches2, 'STW2', { read: setWatches2, sendsEvents: true });

define(OpCode.create, 'CREA', { prepare: prepareCreate });
define(OpCode.create2, 'CREA', { prepare: prepareCreate });
define(OpCode.createContainer, 'CREA', { prepare: prepareCreateContainer });
define(OpCode.createTTL, 'CREA', { prepare: prepareCreateTTL });
define(OpCode.delete, 'DELE', { prepare: prepareDelete });
define(OpCode.setData, 'SETD', { prepare: prepareSetData });
define(OpCode.setACL, 'SETA', { prepare: prepareSetACL });
define(OpCode.multi, 'MULT', { prepare: prepareMulti });
define(OpCode.reconfig, 'RECO', { prepare: prepareReconfig });
define(OpCode.closeSession, 'CLOS', { prepare: prepareCloseSession });

define(OpCode.auth, 'AUTH', { run: auth });
define(OpCode.sasl, 'SASL', { run: sasl });
