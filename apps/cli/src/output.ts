// Where answers go. Text gathers in a buffer and leaves at flush(), so that a listing of 100,000 lines is not 100,000
// system calls; bytes of znodes pass untouched.

import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { type StyleName, styled } from './colour.ts';
import { printable } from './format.ts';

const FLUSH_BYTES = 64 * 1024;

export class Output {
  readonly isTty: boolean;
  readonly hasColour: boolean;
  /** Answers are JSON, one value on a line. */
  readonly isJson: boolean;
  private readonly stream: Writable;
  private text: string;
  private isMute: boolean;

  constructor(stream: Writable, options: { isTty: boolean; hasColour: boolean; isJson: boolean }) {
    this.stream = stream;
    this.isTty = options.isTty;
    this.hasColour = options.hasColour;
    this.isJson = options.isJson;
    this.text = '';
    this.isMute = false;
  }

  /** Nothing is written from now on. */
  mute(): void {
    this.isMute = true;
    this.text = '';
  }

  line(text: string): void {
    this.text += `${text}\n`;
    if (this.text.length > FLUSH_BYTES) this.write();
  }

  lines(lines: readonly string[]): void {
    for (const line of lines) this.line(line);
  }

  /** A value as one line of JSON. Bigints, which are ids of sessions, in hex. */
  value(value: unknown): void {
    this.line(toJson(value));
  }

  /** Bytes as they are. */
  bytes(bytes: Uint8Array): void {
    this.write();
    if (!this.isMute) this.stream.write(bytes);
  }

  /** A name of a znode, or another text that somebody else chose: harmless on a terminal, untouched in a pipe. */
  name(text: string): string {
    return this.isTty ? printable(text) : text;
  }

  style(name: StyleName, text: string): string {
    return this.hasColour ? styled(name, text) : text;
  }

  /** Resolves when a slow reader has room again. */
  async flush(): Promise<void> {
    this.write();
    if (this.stream.writableNeedDrain) await once(this.stream, 'drain');
  }

  private write(): void {
    const text = this.text;
    this.text = '';
    if (text !== '' && !this.isMute) this.stream.write(text);
  }
}

export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, one) =>
    typeof one === 'bigint' ? `0x${BigInt.asUintN(64, one).toString(16)}` : one,
  );
}
