// Preloaded (node --import) into a server that is measured: watches its event loop and its garbage
// collector, and answers over the IPC channel what the longest pause was. It changes nothing else.
//
// A sampler fires every millisecond; what is recorded is the time between two firings, so a pause of N ms
// shows as N + 1. The cost is a timer and some 0.1 % of a core.

import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';

const RESOLUTION_MS = 1;
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let longestGcMs = 0;

// Without a channel this process is not ours to watch, e.g. one that the server has started itself.
if (process.channel !== undefined && process.send !== undefined) {
  delays.enable();
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longestGcMs = Math.max(longestGcMs, duration);
  }).observe({ type: 'gc' });
  process.on('message', (message) => {
    if (message !== 'loop') return;
    process.send?.({
      longestPauseMs: Math.max(0, delays.max / 1e6 - RESOLUTION_MS),
      p999Ms: Math.max(0, delays.percentile(99.9) / 1e6 - RESOLUTION_MS),
      longestGcMs,
      memory: process.memoryUsage(),
    });
    delays.reset();
    longestGcMs = 0;
  });
  process.channel.unref();
}
