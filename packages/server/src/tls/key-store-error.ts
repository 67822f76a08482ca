/** Why a key or trust store cannot be used. The caller knows which file it was, and adds it. */

export type KeyStoreErrorCode =
  | 'NOT_A_STORE'
  | 'UNKNOWN_CIPHER'
  | 'WRONG_PASSWORD'
  | 'WRONG_KEY_PASSWORD'
  | 'NO_PASSWORD'
  | 'NO_KEY'
  | 'NO_CERTIFICATE';

const MESSAGES: Readonly<Record<KeyStoreErrorCode, string>> = {
  NOT_A_STORE: 'It is not readable as PEM, PKCS12 or JKS',
  UNKNOWN_CIPHER: 'It is encrypted in a way that is not known here',
  WRONG_PASSWORD: 'The password is wrong, or the file is damaged',
  WRONG_KEY_PASSWORD: 'The private key in it has another password than the store',
  NO_PASSWORD: 'It needs a password',
  NO_KEY: 'It holds no private key',
  NO_CERTIFICATE: 'It holds no certificate',
};

export class KeyStoreError extends Error {
  override readonly name = 'KeyStoreError';
  readonly code: KeyStoreErrorCode;

  constructor(code: KeyStoreErrorCode, detail?: string) {
    super(detail === undefined ? MESSAGES[code] : `${MESSAGES[code]}: ${detail}`);
    this.code = code;
  }
}
