// The second thread of a fan-out.

import { workerData } from 'node:worker_threads';
import type { FanOutMemory } from './fan-out-memory.ts';
import { workOnFanOuts } from './fan-out-work.ts';

workOnFanOuts(workerData as FanOutMemory);
