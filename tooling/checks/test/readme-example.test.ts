import { expect, test } from 'vitest';
import { readmeExample } from '../src/readme-example.ts';

test('the first ts block under the heading Example is taken', () => {
  const markdown =
    '# x\n\n```ts\nno();\n```\n\n## Example\n\nText.\n\n```ts\nyes();\n```\n\n```ts\nno();\n```\n';
  expect(readmeExample(markdown)).toBe('yes();\n');
});

test('a block under a later heading is not taken', () => {
  expect(readmeExample('## Example\n\nText.\n\n## More\n\n```ts\nno();\n```\n')).toBeUndefined();
});

test('a README without the heading has no example', () => {
  expect(readmeExample('# x\n\n```ts\nno();\n```\n')).toBeUndefined();
});
