// A stream of changes, with what changed. Each event is told with the state that is read after it, so two changes in a
// moment may show the later state twice; the zxid is that of the event.

import { type Client, type Stat, type WatchItem, ZkError } from '@zebu/client';
import { dataFields, printable } from '../format.ts';
import type { Output } from '../output.ts';
import { parseCount } from '../quantities.ts';
import type { Run } from '../verb.ts';

/** Versions and sizes that are remembered, to say what they were. */
const REMEMBERED = 10_000;

export const watch: Run = async ({ words, out, zk, signal, note }) => {
  const [path] = words.operands as [string];
  const recursive = words.has('-r');
  const withData = words.has('--data');
  const limit = words.value('--count');
  let left = limit === undefined ? Number.POSITIVE_INFINITY : parseCount(limit, '--count', 1);
  const before = new Map<string, Stat>();
  const first = await zk.exists(path);
  if (first !== undefined) before.set(path, first);
  const stream = await zk.watch(path, { recursive, signal });
  note(`Watching ${path}${recursive ? ' and all below it' : ''}; Ctrl-C ends it`);
  for await (const item of stream) {
    if (await tell(item, { out, zk, before, withData })) left -= 1;
    await out.flush();
    if (left === 0) break;
  }
  return undefined;
};

async function tell(
  item: WatchItem,
  world: { out: Output; zk: Client; before: Map<string, Stat>; withData: boolean },
): Promise<boolean> {
  const { out, zk, before, withData } = world;
  if (item.type === 'resync') {
    if (item.reason === 'established') return false;
    if (out.isJson) out.value({ time: new Date().toISOString(), ...item });
    else
      out.line(
        out.style('warning', `${clock()} resync   changes may have been missed (${item.reason})`),
      );
    return false;
  }
  const { type, path, zxid } = item;
  const was = before.get(path);
  let stat: Stat | undefined;
  let data: Buffer | undefined;
  if (type !== 'deleted') {
    try {
      if (withData) ({ stat, data } = await zk.get(path));
      else stat = await zk.exists(path);
    } catch (error) {
      // It is gone by now, or not ours to read: the event is told all the same.
      if (!ZkError.is(error, 'NO_NODE', 'NO_AUTH')) throw error;
    }
  }
  before.delete(path);
  if (stat !== undefined) {
    before.set(path, stat);
    if (before.size > REMEMBERED) before.delete(before.keys().next().value as string);
  }
  if (out.isJson) {
    const old =
      was === undefined ? {} : { before: { version: was.version, dataLength: was.dataLength } };
    const now = data === undefined ? {} : dataFields(data);
    out.value({ time: new Date().toISOString(), type, path, zxid, ...old, stat, ...now });
  } else {
    const style = type === 'created' ? 'added' : type === 'deleted' ? 'removed' : 'changed';
    const head = `${clock()} ${out.style(style, type.padEnd(8))} ${out.name(path)}`;
    out.line(`${head}${changeText(type, was, stat)}`);
    if (data !== undefined)
      out.line(out.isTty ? printable(data.toString('utf8'), true) : data.toString('utf8'));
  }
  return true;
}

function changeText(type: string, was: Stat | undefined, stat: Stat | undefined): string {
  if (stat === undefined) return '';
  if (type === 'created') return `  ${stat.dataLength} B`;
  if (type === 'children') return `  ${stat.numChildren} children`;
  const from = was === undefined ? '' : `version ${was.version}, ${was.dataLength} B -> `;
  return `  ${from}version ${stat.version}, ${stat.dataLength} B`;
}

function clock(): string {
  return new Date().toISOString();
}
