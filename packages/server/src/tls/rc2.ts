/**
 * RC2 in CBC mode, decryption only (RFC 2268). OpenSSL 3 has moved it out of what Node can reach, and the PKCS12
 * stores of old Java (up to 8u301) and old OpenSSL encrypt their certificates with it, by a key of 40 bits.
 */

const BLOCK_BYTES = 8;
const WORDS = 4;
const KEY_WORDS = 64;

/** PITABLE of section 2: a permutation of all bytes, from the digits of pi. */
const PI = Buffer.from(
  [
    'd978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2',
    '179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82',
    '54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626',
    '6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7',
    '08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec',
    'c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731',
    '2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9',
    '0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad',
  ].join(''),
  'hex',
);
/** How far each word of a block is rotated in a mixing round. */
const ROTATIONS = [1, 2, 3, 5];

/**
 * Decrypts whole blocks, padding included. `effectiveBits` is the strength that the key is cut down to, in
 * PKCS12 that of the key itself. Throws RangeError for bytes that are not whole blocks.
 */
export function decryptRc2Cbc(
  { key, iv, effectiveBits }: { key: Uint8Array; iv: Uint8Array; effectiveBits: number },
  bytes: Uint8Array,
): Buffer {
  if (bytes.length % BLOCK_BYTES !== 0) throw new RangeError('not whole blocks of RC2');
  const expanded = expandKey(key, effectiveBits);
  const plain = Buffer.alloc(bytes.length);
  let previous = iv;
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_BYTES);
    decryptBlock(expanded, block, plain, at);
    for (let i = 0; i < BLOCK_BYTES; i++) {
      plain[at + i] = byte(plain, at + i) ^ byte(previous, i);
    }
    previous = block;
  }
  return plain;
}

// Section 2: 64 words of 16 bits, little-endian.
function expandKey(key: Uint8Array, effectiveBits: number): Uint16Array {
  const bytes = Buffer.alloc(2 * KEY_WORDS);
  bytes.set(key);
  const last = bytes.length - 1;
  for (let i = key.length; i <= last; i++) {
    bytes[i] = byte(PI, (byte(bytes, i - 1) + byte(bytes, i - key.length)) & 0xff);
  }
  const effectiveBytes = Math.ceil(effectiveBits / 8);
  const mask = 0xff >> (8 * effectiveBytes - effectiveBits);
  const first = bytes.length - effectiveBytes;
  bytes[first] = byte(PI, byte(bytes, first) & mask);
  for (let i = first - 1; i >= 0; i--) {
    bytes[i] = byte(PI, byte(bytes, i + 1) ^ byte(bytes, i + effectiveBytes));
  }
  return Uint16Array.from({ length: KEY_WORDS }, (_, i) => bytes.readUInt16LE(2 * i));
}

// Section 4: 16 mixing rounds backwards, and a mashing round after the fifth and the eleventh of them.
function decryptBlock(key: Uint16Array, block: Uint8Array, plain: Buffer, at: number): void {
  const words = Uint16Array.from(
    { length: WORDS },
    (_, i) => byte(block, 2 * i) | (byte(block, 2 * i + 1) << 8),
  );
  let left = KEY_WORDS;
  for (let round = 1; round <= KEY_WORDS / WORDS; round++) {
    for (let i = WORDS - 1; i >= 0; i--) {
      const by = ROTATIONS[i] as number;
      const word = word16(words, i);
      const rotated = (word >>> by) | (word << (16 - by));
      const [a, b, c] = [word16(words, i + 3), word16(words, i + 2), word16(words, i + 1)];
      left--;
      words[i] = rotated - (key[left] as number) - (a & b) - (~a & c);
    }
    if (round !== 5 && round !== 11) continue;
    for (let i = WORDS - 1; i >= 0; i--) {
      words[i] = word16(words, i) - (key[word16(words, i + 3) & 63] as number);
    }
  }
  for (let i = 0; i < WORDS; i++) plain.writeUInt16LE(word16(words, i), at + 2 * i);
}

function byte(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

function word16(words: Uint16Array, index: number): number {
  return words[index % WORDS] as number;
}
