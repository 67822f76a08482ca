// @zebu/recipes/typed: values instead of bytes. See README.md.

export { bytes, type Codec, json, text } from './typed/codec.ts';
export {
  type ParameterNames,
  type PathParameters,
  type TypedPath,
  type TypedZnode,
  typed,
} from './typed/typed-path.ts';
