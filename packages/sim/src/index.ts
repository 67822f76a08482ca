// The door of @zebu/sim: export from here what other packages may import.

export {
  type Fault,
  SimDisk,
  type SimDiskEvent,
  type SimDiskOptions,
  type SimOperation,
  SimulatedCrash,
} from './sim-disk.ts';
