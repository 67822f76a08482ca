// The text of zookeeper_limits and zookeeper_stats: `count=4,bytes=5=;byteHardLimit=9;...`.
//
// count first, bytes second, then, after a stray `=` that keeps parsers of 3.4 happy, every other
// key in order. A key that is missing reads as -1, which is "unset".
// Source: org.apache.zookeeper.StatsTrack (3.9.5), but for one thing: text that is no such list makes
// Java's server throw inside the apply path; here its bad parts read as unset.

/** Parsed text; keys that are unknown here are kept when it is written again. */
export class QuotaText {
  private readonly values = new Map<string, number>();

  static parse(text: string): QuotaText {
    const parsed = new QuotaText();
    for (const pair of text.split(/[,;]+/)) {
      const [key = '', value = ''] = pair.split('=');
      if (key === '') continue;
      const number = /^[+-]?\d+$/.test(value) ? Number(value) : UNSET;
      parsed.values.set(key, Number.isSafeInteger(number) ? number : UNSET);
    }
    return parsed;
  }

  get count(): number {
    return this.get('count');
  }

  get bytes(): number {
    return this.get('bytes');
  }

  get countHardLimit(): number {
    return this.get('countHardLimit');
  }

  get byteHardLimit(): number {
    return this.get('byteHardLimit');
  }

  set(key: 'count' | 'bytes' | 'countHardLimit' | 'byteHardLimit', value: number): this {
    this.values.set(key, value);
    return this;
  }

  toString(): string {
    const others = [...this.values.keys()].filter((key) => key !== 'count' && key !== 'bytes');
    const tail = others.sort().map((key) => `;${key}=${this.get(key)}`);
    const head = `count=${this.count},bytes=${this.bytes}`;
    return tail.length === 0 ? head : `${head}=${tail.join('')}`;
  }

  private get(key: string): number {
    return this.values.get(key) ?? UNSET;
  }
}

const UNSET = -1;
