import { expect, test } from 'vitest';
import { decryptRc2Cbc } from '../../src/tls/rc2.ts';

// RFC 2268, section 5.
test.each<[string, number, string, string]>([
  ['0000000000000000', 63, '0000000000000000', 'ebb773f993278eff'],
  ['ffffffffffffffff', 64, 'ffffffffffffffff', '278b27e42e2f0d49'],
  ['3000000000000000', 64, '1000000000000001', '30649edf9be7d2c2'],
  ['88', 64, '0000000000000000', '61a8a244adacccf0'],
  ['88bca90e90875a', 64, '0000000000000000', '6ccf4308974c267f'],
  ['88bca90e90875a7f0f79c384627bafb2', 64, '0000000000000000', '1a807d272bbe5db1'],
  ['88bca90e90875a7f0f79c384627bafb2', 128, '0000000000000000', '2269552ab0f85ca6'],
  [
    '88bca90e90875a7f0f79c384627bafb216f80a6f85920584c42fceb0be255daf1e',
    129,
    '0000000000000000',
    '5b78d3a43dfff1f1',
  ],
])('key %s of %i bits', (key, effectiveBits, plain, encrypted) => {
  const iv = Buffer.alloc(8);
  const settings = { key: Buffer.from(key, 'hex'), iv, effectiveBits };
  expect(decryptRc2Cbc(settings, Buffer.from(encrypted, 'hex')).toString('hex')).toBe(plain);
});

test('each block is mixed with the one before it, the first with the vector', () => {
  const settings = {
    key: Buffer.from('88bca90e90875a7f0f79c384627bafb2', 'hex'),
    iv: Buffer.from('0102030405060708', 'hex'),
    effectiveBits: 128,
  };
  const block = '2269552ab0f85ca6';
  const plain = decryptRc2Cbc(settings, Buffer.from(block + block, 'hex'));
  expect(plain.toString('hex')).toBe(`0102030405060708${block}`);
  expect(() => decryptRc2Cbc(settings, Buffer.alloc(9))).toThrow(RangeError);
});
