// Why a listener did not start, or a connection ended.

export type TransportErrorCode =
  | 'ADDRESS_IN_USE'
  | 'ADDRESS_UNAVAILABLE'
  | 'PERMISSION'
  | 'LISTEN_FAILED'
  | 'BAD_TLS_SETTINGS'
  | 'CONNECT_FAILED'
  | 'CONNECT_TIMEOUT'
  | 'CONNECTION_RESET'
  | 'TLS_FAILED'
  | 'IO_FAILED';

/** Carries the address it is about in its message, and the system's own error as `cause`. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportErrorCode;
  readonly address: string;
  readonly port: number;

  constructor(
    code: TransportErrorCode,
    about: { address: string; port: number; detail?: string; cause?: unknown },
  ) {
    const detail = about.detail === undefined ? '' : `: ${about.detail}`;
    super(
      `${MESSAGES[code]} ${formatAddress(about.address, about.port)}${detail}`,
      about.cause === undefined ? undefined : { cause: about.cause },
    );
    this.code = code;
    this.address = about.address;
    this.port = about.port;
  }
}

const MESSAGES: { readonly [C in TransportErrorCode]: string } = {
  ADDRESS_IN_USE: 'Another process listens on',
  ADDRESS_UNAVAILABLE: 'No interface of this machine has the address of',
  PERMISSION: 'Not allowed to listen on',
  LISTEN_FAILED: 'Cannot listen on',
  BAD_TLS_SETTINGS: 'Unusable TLS settings for',
  CONNECT_FAILED: 'Cannot connect to',
  CONNECT_TIMEOUT: 'Timed out connecting to',
  CONNECTION_RESET: 'Connection reset by',
  TLS_FAILED: 'TLS failed with',
  IO_FAILED: 'I/O failed on the connection with',
};

/** "127.0.0.1:2181", "[::1]:2181". */
export function formatAddress(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** "::ffff:10.0.0.1", as a dual-stack socket shows an IPv4 peer, is 10.0.0.1 to everyone above. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

const LISTEN_CODES: { readonly [systemCode: string]: TransportErrorCode } = {
  EADDRINUSE: 'ADDRESS_IN_USE',
  EADDRNOTAVAIL: 'ADDRESS_UNAVAILABLE',
  ENOTFOUND: 'ADDRESS_UNAVAILABLE',
  EACCES: 'PERMISSION',
  EPERM: 'PERMISSION',
};

export function listenError(error: Error, address: string, port: number): TransportError {
  const code = LISTEN_CODES[systemCode(error)] ?? 'LISTEN_FAILED';
  return new TransportError(code, { address, port, detail: error.message, cause: error });
}

/** The typed form of a socket's error; `connected` tells a failed attempt from a broken stream. */
export function socketError(
  error: Error,
  about: { address: string; port: number; connected: boolean; secure: boolean },
): TransportError {
  if (error instanceof TransportError) return error;
  const system = systemCode(error);
  const isTls = about.secure && (system.startsWith('ERR_') || !system.startsWith('E'));
  const code = isTls
    ? 'TLS_FAILED'
    : !about.connected
      ? 'CONNECT_FAILED'
      : system === 'ECONNRESET' || system === 'EPIPE'
        ? 'CONNECTION_RESET'
        : 'IO_FAILED';
  return new TransportError(code, { ...about, detail: error.message, cause: error });
}

function systemCode(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : '';
}
