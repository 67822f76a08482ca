/**
 * Scheme `ensemble`: a client says which ensemble it believes to be talking to, and is sent away when
 * it is the wrong one. Nobody becomes somebody by it, and no ACL can hold it.
 */

import type { ServerMetrics } from '../metrics/metrics.ts';
import {
  AUTH_CLOSE,
  type AuthContext,
  type AuthProvider,
  type AuthResult,
} from './auth-provider.ts';

/** What is counted: names that were right, wrong, and not judged. */
export type EnsembleAuthCounts = Pick<
  ServerMetrics,
  'ensembleAuthSuccess' | 'ensembleAuthFail' | 'ensembleAuthSkip'
>;

export class EnsembleProvider implements AuthProvider {
  readonly scheme = 'ensemble';
  readonly isAuthenticated = false;
  private readonly names: ReadonlySet<string>;
  private readonly counts: EnsembleAuthCounts;

  /** `names`: those that are right; with none every name is. */
  constructor({ names, counts }: { names: readonly string[]; counts: EnsembleAuthCounts }) {
    this.names = new Set(names);
    this.counts = counts;
  }

  authenticate(_context: AuthContext, data: Uint8Array | null): AuthResult {
    if (data === null || data.length === 0 || this.names.size === 0) {
      this.counts.ensembleAuthSkip++;
      return { kind: 'ok', identities: [] };
    }
    const name = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8');
    if (this.names.has(name)) {
      this.counts.ensembleAuthSuccess++;
      return { kind: 'ok', identities: [] };
    }
    this.counts.ensembleAuthFail++;
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
