/**
 * Scheme `ensemble`: a client says which ensemble it believes to be talking to, and is sent away when
 * it is the wrong one. Nobody becomes somebody by it, and no ACL can hold it.
 */

import {
  AUTH_CLOSE,
  type AuthContext,
  type AuthProvider,
  type AuthResult,
} from './auth-provider.ts';

/** Counted by the metrics ensemble_auth_success, _fail and _skip. */
export interface EnsembleAuthCounts {
  success: number;
  fail: number;
  skip: number;
}

export class EnsembleProvider implements AuthProvider {
  readonly scheme = 'ensemble';
  readonly isAuthenticated = false;
  readonly counts: EnsembleAuthCounts = { success: 0, fail: 0, skip: 0 };
  readonly #names: ReadonlySet<string>;

  /** `names`: those that are right; with none every name is. */
  constructor({ names }: { names: readonly string[] }) {
    this.#names = new Set(names);
  }

  authenticate(_context: AuthContext, data: Uint8Array | null): AuthResult {
    if (data === null || data.length === 0 || this.#names.size === 0) {
      this.counts.skip++;
      return { kind: 'ok', identities: [] };
    }
    const name = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8');
    if (this.#names.has(name)) {
      this.counts.success++;
      return { kind: 'ok', identities: [] };
    }
    this.counts.fail++;
    return AUTH_CLOSE;
  }

  matches(): boolean {
    return false;
  }

  isValid(): boolean {
    return false;
  }

  userName(id: string): string {
    return id;
  }
}
