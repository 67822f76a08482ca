// From what a call failed with to what the user reads. The first words are zkCli's (CliWrapperException), which scripts
// look for; what zkCli does not say comes after them: how many, which version, what to do.

import {
  type Client,
  type ErrorCode,
  MultiError,
  SessionExpiredError,
  ZkError,
} from '@zebu/client';
import { CommandError } from './command-error.ts';
import type { FailureKind } from './exit-codes.ts';

const KINDS: { readonly [C in ErrorCode]?: FailureKind } = {
  CONNECTION_LOSS: 'no-connection',
  TIMEOUT: 'no-connection',
  CLOSED: 'no-connection',
  NO_NODE: 'no-znode',
  NODE_EXISTS: 'exists',
  BAD_VERSION: 'wrong-version',
  NOT_EMPTY: 'not-empty',
  NO_CHILDREN_FOR_EPHEMERALS: 'not-empty',
  NO_AUTH: 'not-allowed',
  AUTH_FAILED: 'not-allowed',
  SASL_REQUIRED: 'not-allowed',
  SESSION_EXPIRED: 'hold-lost',
  SESSION_MOVED: 'hold-lost',
  BAD_ARGUMENTS: 'usage',
  INVALID_ACL: 'usage',
  ABORTED: 'interrupted',
  MULTI_FAILED: 'failed',
  SYSTEM_ERROR: 'failed',
  RUNTIME_INCONSISTENCY: 'failed',
  DATA_INCONSISTENCY: 'failed',
};

/** `zk` is asked for what the error does not tell; it may be missing. Never throws. */
export async function explain(error: unknown, zk?: Client): Promise<CommandError> {
  if (error instanceof CommandError) return error;
  if (error instanceof MultiError && error.cause instanceof ZkError)
    return explain(error.cause, zk);
  if (!ZkError.is(error)) {
    const text = error instanceof Error ? error.message : String(error);
    return new CommandError('failed', text, { cause: error });
  }
  const { code, path } = error;
  const { message, hint } = await wording(error, zk);
  const kind = isUnreachable(error) ? 'no-connection' : (KINDS[code] ?? 'refused');
  return new CommandError(kind, message, { hint, path, code, cause: error });
}

/** The session ended without a word from any server. */
function isUnreachable(error: ZkError): boolean {
  return error instanceof SessionExpiredError && error.detectedBy === 'local';
}

async function wording(
  error: ZkError,
  zk: Client | undefined,
): Promise<{ message: string; hint?: string | undefined }> {
  const { code, path = '' } = error;
  switch (code) {
    case 'NO_NODE':
      return {
        message: `Node does not exist: ${path}`,
        hint:
          error.op === 'create' ? 'its parent is missing: create that first, or use -p' : undefined,
      };
    case 'NODE_EXISTS':
      return {
        message: `Node already exists: ${path}`,
        hint: 'set changes its data',
      };
    case 'NOT_EMPTY': {
      const count = (await quietly(() => zk?.exists(path)))?.numChildren;
      const children =
        count === undefined ? '' : ` has ${count} ${count === 1 ? 'child' : 'children'}`;
      return {
        message: `Node not empty: ${path}${children}`,
        hint: 'deleteall deletes it with all below it',
      };
    }
    case 'NO_CHILDREN_FOR_EPHEMERALS':
      return { message: `Ephemerals cannot have children: ${path}` };
    case 'NOT_READONLY':
      return {
        message: `Not a read-only call: ${path}`,
        hint: 'this server has lost its quorum and only answers reads',
      };
    case 'INVALID_ACL':
      return {
        message: `Acl is not valid : ${path}`,
        hint: 'entries are scheme:id:perms; auth::... needs credentials first (addauth, --auth-file)',
      };
    case 'NO_AUTH':
      return {
        message: `Insufficient permission : ${path}`,
        hint: 'getAcl shows who may; show credentials with addauth, --auth-file or ZEBU_AUTH',
      };
    case 'BAD_ARGUMENTS':
      return error.outcome === 'not-sent'
        ? { message: path === '' ? plain(error) : `${detailOf(error)}: ${path}` }
        : { message: `Arguments are not valid : ${path}` };
    case 'BAD_VERSION': {
      const isAcl = error.op === 'setAcl';
      const stat = await quietly(() => zk?.exists(path));
      const now = stat === undefined ? undefined : isAcl ? stat.aversion : stat.version;
      return {
        message: `version No is not valid : ${path}${now === undefined ? '' : `, it is ${now} now`}`,
        hint: 'somebody else changed it meanwhile: read it again',
      };
    }
    case 'RECONFIG_IN_PROGRESS':
      return {
        message:
          'Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)',
      };
    case 'NEW_CONFIG_NO_QUORUM':
      return {
        message: 'No quorum of new config is connected and up-to-date with the leader',
        hint: 'start the new servers first, and wait until they follow',
      };
    case 'RECONFIG_DISABLED':
      return {
        message: 'KeeperErrorCode = Reconfig is disabled',
        hint: 'the servers need reconfigEnabled=true in their configuration',
      };
    case 'QUOTA_EXCEEDED':
      return { message: `Quota has exceeded : ${path}`, hint: 'listquota shows the limits' };
    case 'UNIMPLEMENTED':
      return {
        message: `The server does not have this operation: ${plain(error)}`,
      };
    case 'NO_WATCHER':
      return { message: `KeeperErrorCode = No such watcher for ${path}` };
    case 'SESSION_EXPIRED':
      if (isUnreachable(error)) {
        const seconds = zk && Math.round((zk.session.timeoutMs * 4) / 3000);
        return {
          message: `No server has answered${seconds === undefined ? '' : ` for ${seconds} s`}: the session is over`,
          hint: 'is the server running? export and import can be run again, and go on',
        };
      }
      return {
        message: 'The session has expired: its ephemeral znodes are gone, or will be in a moment',
      };
    case 'ABORTED':
      return { message: 'Interrupted' };
    case 'CONNECTION_LOSS': {
      const servers = attempts(error);
      return {
        message: servers ?? plain(error),
        hint:
          servers === undefined
            ? undefined
            : 'is the server running? --server and ZEBU_SERVERS say which',
      };
    }
    default:
      return { message: plain(error) };
  }
}

/** What is wrong with the path or a value: the client's text without its frame. */
function detailOf(error: ZkError): string {
  return plain(error)
    .replace(/^Bad arguments: /, '')
    .replace(/ \([^()]*\)$/, '');
}

/** The client's own text. */
function plain(error: ZkError): string {
  return error.message;
}

/** Of a connect() that failed: what each server did. */
function attempts(error: ZkError): string | undefined {
  if (error.op !== 'connect') return undefined;
  const { cause } = error;
  const each = cause instanceof AggregateError ? cause.errors.map(({ message }) => message) : [];
  return each.length === 0 ? plain(error) : `No server answered: ${each.join('; ')}`;
}

/** An explanation must not fail, nor wait for a server that is gone. */
async function quietly<T>(ask: () => Promise<T> | undefined): Promise<T | undefined> {
  try {
    return await Promise.race([
      ask(),
      new Promise<undefined>((resolve) => {
        setTimeout(() => resolve(undefined), 1000).unref();
      }),
    ]);
  } catch {
    return undefined;
  }
}
