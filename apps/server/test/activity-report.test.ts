import { expect, test } from 'vitest';
import { stacksOf } from '../src/activity-report.ts';

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
