// Changes who is in the ensemble. The checks before it are zkCli's; whether it can be is the leader's to say.

import { readFileSync } from 'node:fs';
import type { EnsembleConfig, ReconfigChange } from '@zebu/client';
import { CommandError, usage } from '../command-error.ts';
import { readFailure } from '../file-failure.ts';
import { statLines } from '../format.ts';
import type { Call, Run } from '../verb.ts';

export const reconfig: Run = async (call) => {
  const { words, out, whole } = call;
  const changed = await whole.reconfig(changeFrom(call));
  const stat = words.has('-s') ? await whole.exists('/zookeeper/config') : undefined;
  if (out.isJson) {
    out.value({ ...changed.toJSON(), ...(stat === undefined ? {} : { stat }) });
    return undefined;
  }
  out.line(`Committed new configuration:\n${configText(changed)}`);
  if (stat !== undefined) out.lines(statLines(stat));
  return undefined;
};

function configText({ members, version }: EnsembleConfig): string {
  const lines = [...members].map(([sid, server]) => `server.${sid}=${server}`);
  return [...lines, `version=${version.toString(16)}`].join('\n');
}

function changeFrom({ words, verb }: Call): ReconfigChange {
  const file = words.value('-file');
  const members = words.value('-members');
  const add = words.value('-add');
  const leave = words.value('-remove');
  const version = versionFrom(words.value('-v'));
  const whole = file !== undefined || members !== undefined;
  const steps = add !== undefined || leave !== undefined;
  if (!whole && !steps) throw usage(`Nothing to change: reconfig ${verb.synopsis}`);
  if (whole && steps) {
    throw usage(
      "Can't use -file or -members together with -add or -remove (mixing incremental and non-incremental modes is not allowed)",
    );
  }
  if (file !== undefined && members !== undefined) {
    throw usage("Can't use -file and -members together (conflicting non-incremental modes)");
  }
  if (whole) {
    const list =
      members === undefined ? membersIn(file as string) : members.toLowerCase().split(',');
    return { members: list, version };
  }
  return {
    join: add?.toLowerCase().split(','),
    leave: leave?.split(',').map((sid) => {
      if (!/^\d+$/.test(sid)) throw usage(`-remove takes numbers of servers, and "${sid}" is none`);
      return Number(sid);
    }),
    version,
  };
}

function versionFrom(written: string | undefined): bigint | undefined {
  if (written === undefined) return undefined;
  if (!/^[0-9a-f]{1,16}$/i.test(written)) {
    throw usage(
      '-v must be followed by a long (configuration version)',
      'in hex, as config prints it',
    );
  }
  return BigInt.asIntN(64, BigInt(`0x${written}`));
}

/** The `server.N=` lines of a configuration file. */
function membersIn(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandError('usage', `Error processing ${path}: ${readFailure(path, error)}`, {
      cause: error,
    });
  }
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => /^server\.\d+\s*[=:]/.test(line));
  if (lines.length === 0) throw usage(`Error processing ${path}: it has no server.N= line`);
  return lines.map((line) => line.replace(/^(server\.\d+)\s*[=:]\s*/, '$1='));
}
