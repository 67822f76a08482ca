import { ByteReader, ByteWriter, readStat, writeStat } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { Stat } from '../src/stat.ts';
import { STAT } from './world.ts';

const roundTrip = (ephemeralOwner: bigint): Stat => {
  const writer = new ByteWriter();
  writeStat(writer, { ...STAT, ephemeralOwner, mzxid: 0x500000003, ctime: 1_700_000_000_000 });
  expect({ ...new Stat(new ByteReader(writer.view())) }).toEqual(
    readStat(new ByteReader(writer.view())),
  );
  return new Stat(new ByteReader(writer.view()));
};

test.each([0n, 1n, 0x0100_0000_0000_0001n, -0x7f00_0000_0000_0001n, -1n, 0xffff_ffffn])(
  'owner %s is read as the protocol reads it',
  (owner) => {
    expect(roundTrip(owner).ephemeralOwner).toBe(owner);
  },
);

test('JSON has hex where numbers would lie', () => {
  const json = JSON.parse(JSON.stringify(roundTrip(-0x7f00_0000_0000_0001n)));
  expect(json).toMatchObject({
    mzxid: '0x500000003',
    ephemeralOwner: '0x80ffffffffffffff',
    ctime: 1_700_000_000_000,
    version: 5,
  });
});
