// Every place where a scenario can be hurt. What a program awaits are replies; so the places are its requests, and
// the ways are the three things that can become of each: not carried out, carried out and not told, session over.

import type { FaultProxy, ProxiedRequest } from './fault-proxy.ts';

/**
 * 'not-sent' the request is cut off before the server; 'half-sent' in its middle; 'reply-lost' it is carried out, and
 * the reply cut off; 'reply-half' in its middle; 'expired' the session ends while the reply is on its way.
 */
export type FaultKind = 'not-sent' | 'half-sent' | 'reply-lost' | 'reply-half' | 'expired';

export interface CutPoint {
  readonly kind: FaultKind;
  /** Which request of users' calls, from 1: ProxiedRequest.index. */
  readonly at: number;
  /** As in "reply-lost at request 3". */
  readonly name: string;
  /**
   * Sets the fault up. `expire` ends the session of the client that sent the request, on the server.
   * Returns whether the fault has happened.
   */
  arm(proxy: FaultProxy, expire: (request: ProxiedRequest) => Promise<unknown>): () => boolean;
}

const KINDS: readonly FaultKind[] = [
  'not-sent',
  'half-sent',
  'reply-lost',
  'reply-half',
  'expired',
];

/** All faults at each of the first `requests` requests, for `test.each`. */
export function cutPoints(requests: number, kinds: readonly FaultKind[] = KINDS): CutPoint[] {
  return Array.from({ length: requests }, (_, i) => i + 1).flatMap((at) =>
    kinds.map((kind) => ({
      kind,
      at,
      name: `${kind} at request ${at}`,
      arm: (proxy, expire) => arm(proxy, expire, kind, at),
    })),
  );
}

function arm(
  proxy: FaultProxy,
  expire: (request: ProxiedRequest) => Promise<unknown>,
  kind: FaultKind,
  at: number,
): () => boolean {
  const target = proxy.callCount + at;
  let hasHappened = false;
  const happensTo = (request: ProxiedRequest): boolean => {
    if (hasHappened || request.index !== target) return false;
    hasHappened = true;
    return true;
  };
  switch (kind) {
    case 'not-sent':
      proxy.onRequest = (request) => (happensTo(request) ? 'cut' : 'forward');
      break;
    case 'half-sent':
      proxy.onRequest = (request) => (happensTo(request) ? 'cut-mid-frame' : 'forward');
      break;
    case 'reply-lost':
      proxy.onReply = ({ request }) => (happensTo(request) ? 'lose' : 'forward');
      break;
    case 'reply-half':
      proxy.onReply = ({ request }) => (happensTo(request) ? 'lose-mid-frame' : 'forward');
      break;
    case 'expired':
      proxy.onReply = ({ request }) => {
        if (!happensTo(request)) return 'forward';
        // Nobody gets in before the session is over: the client would have it back.
        proxy.down();
        void expire(request).finally(() => proxy.up());
        return 'lose';
      };
      break;
  }
  return () => hasHappened;
}
