/** IP addresses as Java reads and prints them, which is what ACLs and four-letter words hold. */

/**
 * The bytes of an address, 4 or 16; undefined when it is none. The same grammar as
 * IPAuthenticationProvider (3.9.4 and later): no IPv4 tail in IPv6, no zone.
 */
export function parseAddress(address: string): Uint8Array | undefined {
  if (address.includes(':')) return parseV6(address);
  return address.includes('.') ? parseV4(address) : undefined;
}

function parseV4(address: string): Uint8Array | undefined {
  const parts = address.split('.');
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const value = parseInt32(parts[i] as string, 10);
    if (value === undefined || value < 0 || value > 255) return undefined;
    bytes[i] = value;
  }
  return bytes;
}

function parseV6(address: string): Uint8Array | undefined {
  const halves = address.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':')));
  if (head === undefined) return undefined;
  if (tail === undefined ? head.length !== 8 : head.length + tail.length >= 8) return undefined;
  const bytes = new Uint8Array(16);
  const isGood =
    putSegments(bytes, 0, head) &&
    (tail === undefined || putSegments(bytes, 16 - tail.length * 2, tail));
  return isGood ? bytes : undefined;
}

function putSegments(bytes: Uint8Array, at: number, segments: readonly string[]): boolean {
  for (const segment of segments) {
    const value = segment.length > 4 ? undefined : parseInt32(segment, 16);
    if (value === undefined) return false;
    bytes[at++] = value >> 8;
    bytes[at++] = value;
  }
  return true;
}

/** Java's Integer.parseInt: a sign is allowed, blanks and prefixes are not. */
export function parseInt32(text: string, radix: 10 | 16): number | undefined {
  const digits = radix === 10 ? /^[+-]?\d+$/ : /^[+-]?[0-9a-f]+$/i;
  if (!digits.test(text)) return undefined;
  const value = Number.parseInt(text, radix);
  return value >= -0x80000000 && value <= 0x7fffffff ? value : undefined;
}

/**
 * An address of a socket as Java's InetAddress.getHostAddress prints it: IPv6 in eight groups without
 * `::`, an IPv4 address mapped into IPv6 as IPv4.
 */
export function javaHostAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1] as string;
  const zoneAt = address.indexOf('%');
  const bytes = parseAddress(zoneAt < 0 ? address : address.slice(0, zoneAt));
  if (bytes?.length !== 16) return address;
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) {
    groups.push((((bytes[i] as number) << 8) | (bytes[i + 1] as number)).toString(16));
  }
  return groups.join(':') + (zoneAt < 0 ? '' : address.slice(zoneAt));
}

/** An address and port as Java's InetSocketAddress prints them: `/127.0.0.1:2181`, `/[0:0:0:0:0:0:0:1]:2181`. */
export function javaSocketAddress(address: string, port: number): string {
  const host = javaHostAddress(address);
  return host.includes(':') ? `/[${host}]:${port}` : `/${host}:${port}`;
}
