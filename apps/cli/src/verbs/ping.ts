// How fast each server answers, and what it says to a four-letter word.

import { openClient } from '../cli-session.ts';
import { CommandError, usage } from '../command-error.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { parseCount } from '../quantities.ts';
import { readServerList } from '../servers.ts';
import type { Run } from '../verb.ts';
import { askRole, askWord, isRefusal } from '../words.ts';

const WORD_MS = 5000;

export const ping: Run = async ({ words, out, session: { target }, signal }) => {
  const count = parseCount(words.value('-n') ?? '5', '-n', 1);
  const { list } = target;
  let reached = 0;
  for (const host of list.hosts) {
    const server = list.isTls ? `tls://${host.text}` : host.text;
    const one = { ...target, list: { ...readServerList(server), chroot: '' } };
    const startedAt = performance.now();
    try {
      await using zk = await openClient(one, signal);
      const connectMs = performance.now() - startedAt;
      const role = await askRole({ host, tls: target.tls }, WORD_MS);
      const times: number[] = [];
      for (let i = 0; i < count; i++) {
        const at = performance.now();
        // The root is always there: a read that costs the server next to nothing.
        await zk.exists('/', { signal });
        times.push(performance.now() - at);
      }
      reached += 1;
      const sorted = times.sort((a, b) => a - b);
      const [min, max] = [sorted[0] as number, sorted.at(-1) as number];
      const average = times.reduce((sum, ms) => sum + ms, 0) / times.length;
      if (out.isJson) {
        out.value({ server: host.text, role, connectMs, roundTrips: count, min, average, max });
      } else {
        out.line(
          `${host.text}  ${role ?? 'serving'}  session in ${ms(connectMs)}, ${count} round trips: ` +
            `min ${ms(min)}, average ${ms(average)}, max ${ms(max)}`,
        );
      }
    } catch (error) {
      if (signal.aborted) throw error;
      const { explain } = await import('../explain.ts');
      const { message } = await explain(error);
      if (out.isJson) out.value({ server: host.text, error: message });
      else out.line(`${host.text}  ${out.style('error', message)}`);
    }
    await out.flush();
  }
  return reached === list.hosts.length ? undefined : EXIT_CODES['no-connection'];
};

function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

export const word: Run = async ({ words, out, session: { target } }) => {
  const [name] = words.operands as [string];
  if (!/^[a-z]{4}$/.test(name))
    throw usage(`"${name}" is no four-letter word`, 'as srvr, mntr, ruok');
  let refused = 0;
  for (const host of target.list.hosts) {
    let answer: string;
    try {
      answer = await askWord({ host, tls: target.tls }, name, WORD_MS);
    } catch (error) {
      throw new CommandError('no-connection', `${host.text}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    if (isRefusal(answer)) refused += 1;
    if (out.isJson) out.value({ server: host.text, word: name, answer });
    else {
      if (target.list.hosts.length > 1) out.line(out.style('strong', `${host.text}:`));
      out.line(answer.trimEnd());
    }
  }
  if (refused === 0) return undefined;
  throw new CommandError(
    'refused',
    `${name} is refused by ${refused} of ${target.list.hosts.length} servers`,
    {
      hint: '4lw.commands.whitelist in the configuration of a server says what it answers',
    },
  );
};
