// What a planted defect of a whole ensemble is: which part of a member it changes, and when.

import type { Member, Serving } from '@zebu/server/internal';
import type { Disk } from '@zebu/storage';
import type { Plant } from '@zebu/zab';
import type { Open } from './inside.ts';

export interface EnsemblePlant {
  readonly name: string;
  /** A defect of the core alone. */
  readonly core?: Plant;
  /** Called for each process. */
  readonly member?: (member: Member, driver: Open) => void;
  /** Called for each life of serving. */
  readonly serving?: (serving: Serving, driver: Open) => void;
  /** The disk that the process gets. */
  readonly disk?: (disk: Disk) => Disk;
}
