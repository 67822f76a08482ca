// What the next connection is made to: a server of the list, which may have to be asked for, and the
// keys and certificates for it, which may be other ones than last time.

import { formatAddress, type TlsOptions } from '@zebu/transport';
import type { ClientEnvironment } from './environment.ts';
import { HostList } from './host-list.ts';
import { checkHosts, type Host, type HostProvider } from './host-provider.ts';

/** Keys and certificates, or a function that is asked for them at each connection. */
export type TlsSource = TlsOptions | (() => TlsOptions | Promise<TlsOptions>);

export type HostSource = readonly Host[] | HostProvider;

export interface Target {
  readonly host: Host;
  readonly tls: TlsOptions | undefined;
}

interface Answers {
  /** Called once, unless the asking was cancelled before. */
  readonly found: (target: Target) => void;
  /** There is no server to try. Called once in place of `found`. */
  readonly failed: () => void;
  /** Of which server ('servers': their list) something could not be asked, and why; one of the others follows. */
  readonly trouble: (server: string, error: Error) => void;
}

export class Targets {
  private readonly environment: ClientEnvironment;
  private readonly tls: TlsSource | undefined;
  private readonly hosts: HostList;
  private provider: HostProvider | undefined;

  constructor(source: HostSource, tls: TlsSource | undefined, environment: ClientEnvironment) {
    this.environment = environment;
    this.tls = tls;
    const list = isList(source);
    this.hosts = new HostList(list ? source : [], () => environment.random());
    this.provider = list ? undefined : source;
  }

  /** How many servers are known; 0 before a provider was asked. */
  get size(): number {
    return this.hosts.size;
  }

  get isTls(): boolean {
    return this.tls !== undefined;
  }

  replace(source: HostSource): void {
    const list = isList(source);
    this.provider = list ? undefined : source;
    this.hosts.replace(list ? source : []);
  }

  /** Whether it is one of those that are known; true while none is. */
  mayHave(host: Host): boolean {
    return this.hosts.size === 0 || this.hosts.has(host);
  }

  /** Before `next()`, with a session of that timeout. */
  pauseMs(timeoutMs: number): number {
    return this.hosts.pauseMs(timeoutMs);
  }

  served(): void {
    this.hosts.served();
  }

  /** Looks for the next server, for so long at most. Answers at once if nothing has to be asked. Returns how to cancel. */
  next(limitMs: number, answers: Answers): () => void {
    const { provider } = this;
    const asksForHosts = provider !== undefined && this.hosts.startsRound;
    if (!asksForHosts && typeof this.tls !== 'function') {
      const host = this.hosts.next();
      if (host === undefined) answers.failed();
      else answers.found({ host, tls: tlsFor(host, this.tls) });
      return () => {};
    }
    const controller = new AbortController();
    const { signal } = controller;
    const timer = this.environment.setTimer(
      () => controller.abort(new Error(`No answer within ${limitMs} ms`)),
      limitMs,
    );
    let isCancelled = false;
    const ask = async (): Promise<void> => {
      if (asksForHosts) {
        const trouble = await this.askForHosts(provider, signal);
        if (isCancelled) return;
        if (trouble !== undefined) answers.trouble('servers', trouble);
      }
      const host = this.hosts.next();
      if (host === undefined) return answers.failed();
      try {
        const tls = tlsFor(host, await unlessAborted(() => this.askForTls(), signal));
        if (!isCancelled) answers.found({ host, tls });
      } catch (error) {
        if (isCancelled) return;
        answers.trouble(formatAddress(host.host, host.port), asError(error));
        answers.failed();
      }
    };
    void ask().finally(() => this.environment.clearTimer(timer));
    return () => {
      isCancelled = true;
      this.environment.clearTimer(timer);
      controller.abort(new Error('No longer needed'));
    };
  }

  private async askForHosts(
    provider: HostProvider,
    signal: AbortSignal,
  ): Promise<Error | undefined> {
    try {
      const hosts = await unlessAborted(() => provider.resolve(signal), signal);
      checkHosts(hosts);
      // Somebody may have changed the servers while it was asked.
      if (provider === this.provider) this.hosts.replace(hosts);
      return undefined;
    } catch (error) {
      return asError(error);
    }
  }

  private async askForTls(): Promise<TlsOptions | undefined> {
    return typeof this.tls === 'function' ? await this.tls() : this.tls;
  }
}

function tlsFor(host: Host, tls: TlsOptions | undefined): TlsOptions | undefined {
  if (host.tls === undefined) return tls;
  return host.tls ? (tls ?? {}) : undefined;
}

function isList(source: HostSource): source is readonly Host[] {
  return Array.isArray(source);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** What `ask` comes to, or the signal's reason if that comes first: not everybody who is asked listens to it. */
function unlessAborted<T>(ask: () => T | Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(asError(signal.reason));
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const done = (): void => signal.removeEventListener('abort', onAbort);
    Promise.resolve().then(ask).then(resolve, reject).finally(done);
  });
}
