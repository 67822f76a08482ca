// @zebu/recipes/typed: values instead of bytes. See README.md.

export { type Codec, json, text } from './typed/codec.ts';
