// @zebu/recipes/value: one znode as a value that is kept up to date. See README.md.

export type { Codec } from './typed/codec.ts';
export {
  type SharedValue,
  type ValueReading,
  type WatchValueOptions,
  watchValue,
} from './value/watch-value.ts';
