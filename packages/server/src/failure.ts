// Why a server stopped by itself. Tests and the simulator read the code, people the message.

/**
 *   txn log    a write or sync of the txn log failed: what the disk holds can no longer be trusted
 *   directory  the data directory, or a file in use, was removed or replaced under the server
 *   apply      a txn could not be applied: a defect, or a peer that sent something unknown
 *   ensemble   this member cannot be part of its ensemble
 */
export type FailureCode = 'txn log' | 'directory' | 'apply' | 'ensemble';

const SAID: Record<FailureCode, string> = {
  'txn log': 'The txn log failed',
  directory: 'The data directory failed',
  apply: 'A txn could not be applied',
  ensemble: 'This member cannot be part of its ensemble',
};

export class ServerFailure extends Error {
  readonly code: FailureCode;
  /** What failed, in words, without the cause. */
  readonly heading: string;

  constructor(code: FailureCode, cause: Error) {
    super(`${SAID[code]}: ${cause.message}`, { cause });
    this.heading = SAID[code];
    this.name = 'ServerFailure';
    this.code = code;
  }
}
