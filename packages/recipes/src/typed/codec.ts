// How a value becomes the bytes of a znode, and bytes a value.

export interface Codec<T> {
  encode(value: T): Uint8Array;
  /** Throws what it likes if the bytes are no such value. */
  decode(bytes: Uint8Array): T;
}

/**
 * JSON in UTF-8. Without `check` a value is taken for a T unseen; with it, it is what `check` returns, which throws
 * for anything else: `json((value) => schema.parse(value))`.
 */
export function json<T>(check: (value: unknown) => T = (value) => value as T): Codec<T> {
  return {
    encode: (value) => {
      const written = JSON.stringify(value);
      // Of undefined and of functions there is no JSON.
      if (written === undefined) throw new TypeError(`No JSON for a value of type ${typeof value}`);
      return Buffer.from(written, 'utf8');
    },
    decode: (bytes) => check(JSON.parse(utf8.decode(bytes))),
  };
}

/** A string in UTF-8. Bytes that are no UTF-8 are an error. */
export function text(): Codec<string> {
  return {
    encode: (value) => Buffer.from(value, 'utf8'),
    decode: (bytes) => utf8.decode(bytes),
  };
}

/** Bytes as they are. */
export function bytes(): Codec<Uint8Array> {
  return { encode: (value) => value, decode: (value) => value };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
