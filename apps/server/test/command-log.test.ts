import { expect, test } from 'vitest';
import { jsonLine, loggerOver, prettyLine } from '../src/command-log.ts';

const now = new Date(2026, 10, 30, 9, 5, 7, 8);

test('a JSON line has level, time and process first, and the message last', () => {
  const line = jsonLine('warn', now, 'Serving', { port: 2181, nothing: undefined, id: 5n });
  expect(line).toBe(
    `{"level":"warn","time":"${now.toISOString()}","pid":${process.pid},"port":2181,"id":"5","msg":"Serving"}\n`,
  );
});

test('whatever is in a field, it is one line', () => {
  const circle: Record<string, unknown> = {};
  circle.itself = circle;
  const lines = [
    jsonLine('info', now, 'two\nlines', { text: 'a\nb' }),
    jsonLine('error', now, 'failed', { error: new Error('why') }),
    jsonLine('info', now, 'a circle', { circle }),
    prettyLine('info', now, 'a circle', { circle, text: 'a\nb' }),
  ];
  for (const line of lines) expect(line.indexOf('\n')).toBe(line.length - 1);
  expect(JSON.parse(lines[1] as string).error).toMatch(/^Error: why\n/);
});

test('a line for readers has its fields after the message', () => {
  const fields = { port: 2181, dataDir: '/a b', zxid: '0x0', nothing: '', left: undefined };
  expect(prettyLine('info', now, 'Serving', fields)).toBe(
    '[09:05:07.008] INFO: Serving port=2181 dataDir="/a b" zxid=0x0 nothing=""\n',
  );
  expect(prettyLine('error', now, 'Stopping', {})).toBe('[09:05:07.008] ERROR: Stopping\n');
});

test.each([
  ['debug', ['debug', 'info', 'warn', 'error']],
  ['warn', ['warn', 'error']],
  ['silent', []],
] as const)('level %s lets these through: %j', (least, expected) => {
  const lines: string[] = [];
  const logger = loggerOver(
    least,
    (level, _, message) => `${level} ${message}`,
    (line) => lines.push(line),
  );
  for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level]('said');
  expect(lines).toEqual(expected.map((level) => `${level} said`));
  expect(logger.debugEnabled).toBe(least === 'debug');
});
