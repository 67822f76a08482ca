/**
 * Names of X.509 certificates as Java's X500Principal reads and prints them (RFC 2253), because that
 * is what ACLs of scheme x509 hold. Nothing here checks a certificate: the TLS layer did.
 */

/** Types that RFC 2253 prints by name; any other one is printed as its number, with hexadecimal DER. */
const RFC2253_NAMES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
};

/** Keywords that X500Principal accepts (sun.security.x509.AVAKeyword). */
const KEYWORDS = new Set(
  (
    'CN C L S ST O OU T IP STREET DC DNQUALIFIER DNQ SURNAME GIVENNAME INITIALS GENERATION ' +
    'EMAIL EMAILADDRESS UID SERIALNUMBER'
  ).split(' '),
);

const TAG_SEQUENCE = 0x30;
const TAG_OID = 0x06;
const TAG_VERSION = 0xa0;
const TAG_UTF8 = 0x0c;
const TAG_PRINTABLE = 0x13;
const TAG_TELETEX = 0x14;
const TAG_IA5 = 0x16;
const TAG_BMP = 0x1e;

/** The subject of a DER certificate in RFC 2253 form; undefined when the bytes are no certificate. */
export function certificateSubject(certificate: Uint8Array): string | undefined {
  try {
    const bytes = Buffer.from(certificate.buffer, certificate.byteOffset, certificate.byteLength);
    const signed = firstChild(element(bytes, 0));
    let field = signed === undefined ? undefined : firstChild(signed);
    if (field?.tag === TAG_VERSION) field = next(bytes, field);
    // Serial number, algorithm, issuer, validity, subject.
    for (let i = 0; i < 4; i++) field = field === undefined ? undefined : next(bytes, field);
    return field?.tag === TAG_SEQUENCE ? nameText(bytes, field) : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** A DER name in RFC 2253 form. Throws RangeError when the bytes are no name. */
export function nameFromDer(der: Uint8Array): string {
  const bytes = Buffer.from(der.buffer, der.byteOffset, der.byteLength);
  return nameText(bytes, element(bytes, 0));
}

/** Whether X500Principal takes `name`: types with values, separated by commas, semicolons or plus signs. */
export function isDistinguishedName(name: string): boolean {
  if (name === '') return true;
  return splitName(name).every((part) => {
    const equals = part.indexOf('=');
    if (equals < 0) return false;
    const type = part
      .slice(0, equals)
      .trim()
      .replace(/^OID\./i, '');
    const value = part.slice(equals + 1).trim();
    const isType = KEYWORDS.has(type.toUpperCase()) || /^[012](\.\d+)+$/.test(type);
    return isType && isAttributeValue(value);
  });
}

function isAttributeValue(value: string): boolean {
  if (value.startsWith('#')) return isHexadecimalDer(value.slice(1));
  if (value.startsWith('"')) return QUOTED_VALUE.test(value);
  return PLAIN_VALUE.test(value);
}

// A backslash goes before a special character, a blank or two hexadecimal digits.
const QUOTED_VALUE = /^"([^"\\]|\\([,=+<>#;"\\ ]|[0-9a-f]{2}))*"$/i;
const PLAIN_VALUE = /^([^"<>\\]|\\([,=+<>#;"\\ ]|[0-9a-f]{2}))*$/i;

function isHexadecimalDer(digits: string): boolean {
  if (!/^([0-9a-f]{2})+$/i.test(digits)) return false;
  const bytes = Buffer.from(digits, 'hex');
  try {
    return element(bytes, 0).end === bytes.length;
  } catch {
    return false;
  }
}

// At , ; and + that are neither quoted nor escaped.
function splitName(name: string): string[] {
  const parts: string[] = [];
  let isQuoted = false;
  let from = 0;
  for (let i = 0; i < name.length; i++) {
    const char = name[i] as string;
    if (char === '\\') i++;
    else if (char === '"') isQuoted = !isQuoted;
    else if (!isQuoted && (char === ',' || char === ';' || char === '+')) {
      parts.push(name.slice(from, i));
      from = i + 1;
    }
  }
  parts.push(name.slice(from));
  return parts;
}

// The last relative name comes first.
function nameText(bytes: Buffer, name: DerElement): string {
  const relativeNames: string[] = [];
  for (let set = firstChild(name, bytes); set !== undefined; set = next(bytes, set, name.end)) {
    const attributes: string[] = [];
    for (let one = firstChild(set, bytes); one !== undefined; one = next(bytes, one, set.end)) {
      attributes.push(attributeText(bytes, one));
    }
    relativeNames.unshift(attributes.join('+'));
  }
  return relativeNames.join(',');
}

function attributeText(bytes: Buffer, attribute: DerElement): string {
  const type = element(bytes, attribute.start);
  if (type.tag !== TAG_OID) throw new RangeError('Attribute without a type');
  const value = element(bytes, type.end);
  const oid = oidText(bytes.subarray(type.start, type.end));
  const name = RFC2253_NAMES[oid];
  const text = name === undefined ? undefined : valueText(bytes, value);
  if (text === undefined) {
    return `${name ?? oid}=#${bytes.toString('hex', type.end, value.end)}`;
  }
  return `${name}=${escapeValue(text)}`;
}

function valueText(bytes: Buffer, { tag, start, end }: DerElement): string | undefined {
  switch (tag) {
    case TAG_UTF8:
      return bytes.toString('utf8', start, end);
    case TAG_PRINTABLE:
    case TAG_IA5:
    case TAG_TELETEX:
      return bytes.toString('latin1', start, end);
    case TAG_BMP:
      return Buffer.from(bytes.subarray(start, end)).swap16().toString('utf16le');
    default:
      return undefined;
  }
}

// sun.security.x509.AVA.toRFC2253String: these are escaped, and blanks at either end.
function escapeValue(text: string): string {
  const escaped = text.replaceAll(/[,=+<>#;"\\]/g, '\\$&').replaceAll('\0', '\\00');
  return escaped
    .replace(/^ +/, (blanks) => '\\ '.repeat(blanks.length))
    .replace(
      /([^ ])( +)$/,
      (_, last: string, blanks: string) => last + '\\ '.repeat(blanks.length),
    );
}

function oidText(bytes: Buffer): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of bytes) {
    number = number * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      numbers.push(number);
      number = 0;
    }
  }
  const first = numbers.shift() ?? 0;
  const root = Math.min(Math.floor(first / 40), 2);
  return [root, first - root * 40, ...numbers].join('.');
}

/** One element of DER: its tag, and where its content starts and ends. */
interface DerElement {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
  readonly bytes: Buffer;
}

// Throws RangeError past the end of the bytes, as Buffer's own reads do.
function element(bytes: Buffer, at: number): DerElement {
  const tag = bytes.readUInt8(at);
  let length = bytes.readUInt8(at + 1);
  let start = at + 2;
  if (length >= 0x80) {
    const lengthBytes = length & 0x7f;
    if (lengthBytes < 1 || lengthBytes > 4) throw new RangeError('Length of a DER element');
    length = bytes.readUIntBE(start, lengthBytes);
    start += lengthBytes;
  }
  if (start + length > bytes.length) throw new RangeError('A DER element ends early');
  return { tag, start, end: start + length, bytes };
}

function firstChild(parent: DerElement, bytes = parent.bytes): DerElement | undefined {
  return parent.start < parent.end ? element(bytes, parent.start) : undefined;
}

function next(bytes: Buffer, sibling: DerElement, end = bytes.length): DerElement | undefined {
  return sibling.end < end ? element(bytes, sibling.end) : undefined;
}
