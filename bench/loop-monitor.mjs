// Preloaded (node --import) into a server that is measured: watches its event loop and its garbage
// collector, and answers over the IPC channel what the longest pause was. It changes nothing else.
//
// Two samplers fire every millisecond. The first is Node's own: the time between two firings, so a pause
// of N ms shows as N + 1. On a machine with other work such a pause may be someone else's turn on the
// core, so the second tells the CPU time that this thread used between two firings: what the server did
// without looking up. Together they cost some 0.3 % of a core.

import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';

const RESOLUTION_MS = 1;
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let longestBusyMs = 0;
let longestGcMs = 0;
let lastCpuMs = 0;

// Without a channel this process is not ours to watch, e.g. one that the server has started itself.
if (process.channel !== undefined && process.send !== undefined) {
  delays.enable();
  lastCpuMs = threadCpuMs();
  setInterval(sampleBusy, RESOLUTION_MS).unref();
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longestGcMs = Math.max(longestGcMs, duration);
  }).observe({ type: 'gc' });
  process.on('message', (message) => {
    if (message !== 'loop') return;
    process.send?.({
      longestPauseMs: Math.max(0, delays.max / 1e6 - RESOLUTION_MS),
      longestBusyMs,
      longestGcMs,
      memory: process.memoryUsage(),
    });
    delays.reset();
    longestBusyMs = 0;
    longestGcMs = 0;
  });
  process.channel.unref();
}

function sampleBusy() {
  const now = threadCpuMs();
  longestBusyMs = Math.max(longestBusyMs, now - lastCpuMs);
  lastCpuMs = now;
}

function threadCpuMs() {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
