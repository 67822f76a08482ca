import { silentLogger, type ZebuServer } from '@zebu/server';
import { expect, test } from 'vitest';
import { reportActivity, stacksOf } from '../src/activity-report.ts';
import { LongTurns } from '../src/long-turns.ts';

const frame = (functionName: string, url = '', lineNumber = 0) => ({
  functionName,
  scriptId: '0',
  url,
  lineNumber,
  columnNumber: 0,
});

test('the stacks that most samples found come first, innermost frame first', () => {
  const nodes = [
    { id: 1, callFrame: frame('(root)'), children: [2, 5] },
    { id: 2, callFrame: frame('data', 'file:///a.js', 9), children: [3, 4] },
    { id: 3, callFrame: frame('prepare', 'file:///b.js', 4) },
    { id: 4, callFrame: frame('', 'file:///c.js', 0) },
    { id: 5, callFrame: frame('(idle)') },
  ];
  const samples = [3, 5, 3, 4, 3, 5, 3, 3];
  expect(stacksOf({ nodes, samples, startTime: 0, endTime: 1 })).toEqual([
    { percent: 62.5, frames: ['prepare file:///b.js:5', 'data file:///a.js:10'] },
    { percent: 25, frames: ['(idle)'] },
    { percent: 12.5, frames: ['(anonymous) file:///c.js:1', 'data file:///a.js:10'] },
  ]);
});

test('a report that fails is logged, and nothing more', async () => {
  const logged: string[] = [];
  const note = (message: string) => void logged.push(message);
  const server = {
    activity() {
      throw new Error('why');
    },
  } as unknown as ZebuServer;
  await reportActivity(server, new LongTurns(), { ...silentLogger, info: note, warn: note });
  expect(logged).toEqual(['Report failed', 'Report ends']);
});
