// What Apache's own jute classes make of bytes that are no UTF-8, and of UTF-16 that is no text.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apacheClassPath } from '../tools.ts';
import type { Value } from './values.ts';

/** What Apache's own jute classes make of bytes, and of UTF-16. */
export function javaUtf8(folder: string): Value {
  const source = join(folder, 'Utf8Vectors.java');
  writeFileSync(source, JAVA_SOURCE);
  const jars = apacheClassPath('3.9.5');
  run('javac', ['-cp', jars, '-d', folder, source]);
  const lines = run('java', ['-cp', `${folder}:${jars}`, 'Utf8Vectors'])
    .split('\n')
    .filter((line) => /^(de|en)code /.test(line));
  const decode: string[][] = [];
  const encode: string[][] = [];
  for (const line of lines) {
    const [kind, from = '', to = ''] = line.split(' ');
    (kind === 'decode' ? decode : encode).push([from === '-' ? '' : from, to === '-' ? '' : to]);
  }
  return {
    note: 'decode: bytes to UTF-16 units by BinaryInputArchive.readString; encode: UTF-16 units to bytes by BinaryOutputArchive.writeString',
    decode,
    encode,
  };
}

function run(command: string, args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' });
}

const JAVA_SOURCE = `
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.Random;
import org.apache.jute.BinaryInputArchive;
import org.apache.jute.BinaryOutputArchive;

public class Utf8Vectors {
  // Bytes at the edges of every class of UTF-8.
  static final int[] EDGES = {0x00, 0x2f, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
    0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xfc, 0xff};

  public static void main(String[] args) throws IOException {
    for (int a : EDGES) {
      decode(a);
      for (int b : EDGES) decode(a, b);
    }
    Random random = new Random(1);
    for (int i = 0; i < 1500; i++) {
      int[] bytes = new int[3 + random.nextInt(6)];
      for (int j = 0; j < bytes.length; j++) bytes[j] = EDGES[random.nextInt(EDGES.length)];
      decode(bytes);
    }
    // Well-formed four-byte sequences, whole, cut and followed by others.
    decode(0xf0, 0x9f, 0x98, 0x80);
    decode(0xf0, 0x9f, 0x98);
    decode(0xf0, 0x9f, 0x98, 0x41);
    decode(0xf4, 0x8f, 0xbf, 0xbf, 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80);
    int[] units = {0, 0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xfffd, 0xffff};
    for (int i = 0; i < 200; i++) {
      char[] chars = new char[random.nextInt(6)];
      for (int j = 0; j < chars.length; j++) chars[j] = (char) units[random.nextInt(units.length)];
      encode(new String(chars));
    }
  }

  static void decode(int... ints) throws IOException {
    byte[] bytes = new byte[4 + ints.length];
    bytes[3] = (byte) ints.length;
    for (int i = 0; i < ints.length; i++) bytes[4 + i] = (byte) ints[i];
    String s = BinaryInputArchive.getArchive(new ByteArrayInputStream(bytes)).readString("s");
    System.out.println("decode " + hex(Arrays.copyOfRange(bytes, 4, bytes.length)) + " " + units(s));
  }

  static void encode(String s) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    BinaryOutputArchive.getArchive(out).writeString(s, "s");
    byte[] bytes = out.toByteArray();
    System.out.println("encode " + units(s) + " " + hex(Arrays.copyOfRange(bytes, 4, bytes.length)));
  }

  static String units(String s) {
    StringBuilder text = new StringBuilder();
    for (char c : s.toCharArray()) text.append(String.format("%04x", (int) c));
    return text.length() == 0 ? "-" : text.toString();
  }

  static String hex(byte[] bytes) {
    StringBuilder text = new StringBuilder();
    for (byte b : bytes) text.append(String.format("%02x", b));
    return text.length() == 0 ? "-" : text.toString();
  }
}
`;
