// Opens a stream of events on one path, or on all below it, and takes it down again.

import { AddWatchMode, OpCode, writePathNumberRequest } from '@zebu/protocol';
import type { WatchOptions } from './client.ts';
import { refuse } from './paths.ts';
import type { ViewRequests } from './view-requests.ts';
import type { StreamKind } from './watch-registry.ts';
import { DEFAULT_STREAM_BUFFER, StreamBuffer, type WatchStream } from './watch-stream.ts';

export async function openStream(
  requests: ViewRequests,
  path: string,
  options: WatchOptions | undefined,
): Promise<WatchStream> {
  const refusal = refuse('watch', path, options, false);
  if (refusal !== undefined) throw refusal;
  const kind: StreamKind = options?.recursive === true ? 'recursive' : 'persistent';
  const full = requests.fullPath(path);
  const { watches } = requests.loop;
  const stream = new StreamBuffer({
    path,
    recursive: kind === 'recursive',
    limit: Math.max(options?.buffer ?? DEFAULT_STREAM_BUFFER, 1),
    dispose: (disposed) => unwatch(requests, kind, full, disposed),
  });
  const onAbort = (): void => {
    stream.stop();
    void unwatch(requests, kind, full, stream);
  };
  await requests.loop.calls.call(
    {
      type: OpCode.addWatch,
      op: 'watch',
      path,
      // Setting a watch twice is setting it once.
      isRead: true,
      isSessionBound: true,
      encode: (writer) =>
        writePathNumberRequest(writer, {
          path: full,
          value: kind === 'recursive' ? AddWatchMode.persistentRecursive : AddWatchMode.persistent,
        }),
      decode: () => {
        watches.addStream(kind, full, { watch: stream, chroot: requests.chrootPath });
        const signal = options?.signal;
        if (signal !== undefined) stream.endWith(requests.loop.aborts.onAbort(signal, onAbort));
        stream.push({ type: 'resync', reason: 'established' });
      },
      abandoned: () => requests.removeIfUnused(kind, full),
      expect: () => watches.expect(kind, full).settled,
    },
    options,
  );
  return stream;
}

async function unwatch(
  requests: ViewRequests,
  kind: StreamKind,
  full: string,
  stream: StreamBuffer,
): Promise<void> {
  stream.finish();
  if (requests.loop.watches.removeStream(kind, full, stream)) {
    await requests.removeIfUnused(kind, full);
  }
}
