// Assertions that stay on in production: a broken one means that the machine or its driver is wrong, and the member
// must stop before it says anything else.

import { InvariantError } from '@zebu/protocol';

/** Throws InvariantError unless the condition holds; `numbers` are printed after the message. */
export function assert(
  condition: boolean,
  message: string,
  numbers?: Readonly<Record<string, number | string>>,
): asserts condition {
  if (condition) return;
  throw new InvariantError(
    numbers === undefined
      ? message
      : `${message}: ${Object.entries(numbers)
          .map(([name, value]) => `${name} ${value}`)
          .join(', ')}`,
  );
}
