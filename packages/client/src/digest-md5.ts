// SASL's DIGEST-MD5 (RFC 2831), as far as ZooKeeper uses it: authentication alone, one exchange for
// each connection. The password is never sent; who listens can still try passwords on what is, so use
// TLS where the network is not trusted.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { SaslExchange, SaslMechanism } from './sasl.ts';

export interface DigestMd5Credentials {
  readonly username: string;
  readonly password: string;
  /** Default: the one that the server names. */
  readonly realm?: string | undefined;
}

/** What the server calls itself. Source: ClientCnxn and SaslServerCallbackHandler, "zk-sasl-md5". */
const DIGEST_URI = 'zookeeper/zk-sasl-md5';

/** For ConnectOptions.sasl. */
export function digestMd5(credentials: DigestMd5Credentials): SaslMechanism {
  const { username, password } = credentials;
  if (typeof username !== 'string' || typeof password !== 'string') {
    throw new TypeError('digestMd5() takes { username, password }: two strings');
  }
  return {
    name: 'DIGEST-MD5',
    begin: () => digestExchange(credentials, randomBytes(24).toString('base64')),
  };
}

/** `cnonce` must be new for each exchange. */
export function digestExchange(
  credentials: DigestMd5Credentials,
  cnonce: string,
  digestUri = DIGEST_URI,
): SaslExchange {
  let step: 'begin' | 'challenge' | 'proof' = 'begin';
  let expectedProof = '';
  return {
    next(token) {
      switch (step) {
        case 'begin':
          step = 'challenge';
          return Buffer.alloc(0);
        case 'challenge': {
          step = 'proof';
          if (token.length === 0) throw new Error('The server has no SASL configured');
          const answer = answerTo(parseDirectives(token), credentials, { cnonce, digestUri });
          expectedProof = answer.proof;
          return answer.token;
        }
        case 'proof': {
          const proof = Buffer.from(parseDirectives(token).get('rspauth') ?? '');
          const expected = Buffer.from(expectedProof);
          // Who does not know the password is not the server that was meant.
          if (proof.length !== expected.length || !timingSafeEqual(proof, expected)) {
            throw new Error('The server does not prove that it knows the password');
          }
          return undefined;
        }
      }
    },
  };
}

function answerTo(
  challenge: ReadonlyMap<string, string>,
  { username, password, realm: ownRealm }: DigestMd5Credentials,
  { cnonce, digestUri }: { cnonce: string; digestUri: string },
): { token: Buffer; proof: string } {
  const nonce = challenge.get('nonce');
  if (nonce === undefined) throw new Error("The server's DIGEST-MD5 challenge has no nonce");
  const qops = (challenge.get('qop') ?? 'auth').split(',').map((one) => one.trim());
  if (!qops.includes('auth')) throw new Error(`The server wants qop ${qops.join(', ')}, not auth`);
  const realm = ownRealm ?? challenge.get('realm') ?? '';
  const isUtf8 = challenge.get('charset') === 'utf-8';
  const secret = md5(
    Buffer.concat([
      latin1OrUtf8(username),
      Buffer.from(':'),
      latin1OrUtf8(realm),
      Buffer.from(':'),
      latin1OrUtf8(password),
    ]),
  );
  const a1 = md5(Buffer.concat([secret, Buffer.from(`:${nonce}:${cnonce}`)])).toString('hex');
  const digestOf = (a2: string): string =>
    md5(`${a1}:${nonce}:00000001:${cnonce}:auth:${md5(a2).toString('hex')}`).toString('hex');
  const directives = [
    ...(isUtf8 ? ['charset=utf-8'] : []),
    `username=${quoted(username)}`,
    `realm=${quoted(realm)}`,
    `nonce=${quoted(nonce)}`,
    'nc=00000001',
    `cnonce=${quoted(cnonce)}`,
    `digest-uri=${quoted(digestUri)}`,
    'maxbuf=65536',
    `response=${digestOf(`AUTHENTICATE:${digestUri}`)}`,
    'qop=auth',
  ];
  return {
    token: Buffer.from(directives.join(','), isUtf8 ? 'utf8' : 'latin1'),
    proof: digestOf(`:${digestUri}`),
  };
}

/** `name=value,name="quoted \"value\""`, in any order. */
function parseDirectives(token: Uint8Array): Map<string, string> {
  const directives = new Map<string, string>();
  const text = Buffer.from(token).toString('utf8');
  for (const [, name, quotedValue, value] of text.matchAll(DIRECTIVE)) {
    directives.set(
      (name as string).toLowerCase(),
      value ?? (quotedValue as string).replaceAll(/\\(.)/g, '$1'),
    );
  }
  return directives;
}

const DIRECTIVE = /([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g;

function quoted(value: string): string {
  return `"${value.replaceAll(/["\\]/g, '\\$&')}"`;
}

/** RFC 2831 hashes what fits into ISO 8859-1 in that, whatever the charset on the wire. */
function latin1OrUtf8(value: string): Buffer {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ISO 8859-1 is meant
  return Buffer.from(value, /^[\u0000-\u00ff]*$/.test(value) ? 'latin1' : 'utf8');
}

function md5(bytes: Buffer | string): Buffer {
  return createHash('md5').update(bytes).digest();
}
