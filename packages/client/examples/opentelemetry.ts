// Spans of OpenTelemetry for the calls of @zebu/client, which itself depends on nothing of it:
//
//   import { trace } from '@opentelemetry/api';
//   const tracing = traceCalls(trace.getTracer('my-program'));
//   …
//   tracing.stop();

import { tracingChannel } from 'node:diagnostics_channel';
import { formatSessionId, type RequestTrace, ZkError } from '@zebu/client';

/** What is used of @opentelemetry/api's Tracer and Span. */
export interface SpanLike {
  setAttribute(name: string, value: string | number): unknown;
  recordException(error: Error): unknown;
  setStatus(status: { code: number; message?: string }): unknown;
  end(): void;
}
export interface TracerLike {
  startSpan(
    name: string,
    options: { kind: number; attributes: Record<string, string | number> },
  ): SpanLike;
}

/** SpanKind.CLIENT and SpanStatusCode.ERROR. */
const CLIENT = 2;
const ERROR = 2;

/** A span for each call, from when it is made until it settles, under the span that is active where it is made. */
export function traceCalls(tracer: TracerLike): { stop: () => void } {
  const spans = new WeakMap<object, SpanLike>();
  const subscribers = {
    start(message: unknown): void {
      const call = message as RequestTrace;
      const attributes: Record<string, string | number> = { 'db.system.name': 'zookeeper' };
      attributes['db.operation.name'] = call.op;
      if (call.path !== undefined) attributes['zookeeper.path'] = call.path;
      spans.set(call, tracer.startSpan(`zookeeper ${call.op}`, { kind: CLIENT, attributes }));
    },
    end(): void {},
    asyncStart(): void {},
    error(message: unknown): void {
      const { error } = message as RequestTrace;
      const span = spans.get(message as object);
      if (span === undefined || !(error instanceof Error)) return;
      span.recordException(error);
      span.setStatus({ code: ERROR, message: error.message });
      if (!ZkError.is(error)) return;
      span.setAttribute('error.type', error.code);
      span.setAttribute('zookeeper.outcome', error.outcome);
    },
    asyncEnd(message: unknown): void {
      const { session, server, tries } = message as RequestTrace;
      const span = spans.get(message as object);
      if (span === undefined) return;
      if (session !== undefined)
        span.setAttribute('zookeeper.session', formatSessionId(session.id));
      if (server !== undefined) span.setAttribute('server.address', server);
      span.setAttribute('zookeeper.tries', tries);
      span.end();
    },
  };
  const channel = tracingChannel('zebu:request');
  channel.subscribe(subscribers);
  return { stop: () => channel.unsubscribe(subscribers) };
}
