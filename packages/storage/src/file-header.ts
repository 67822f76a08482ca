// The header that txn logs and snapshots begin with (disk.md sections 2 and 5).

export const LOG_MAGIC = 0x5a4b4c47; // "ZKLG"
export const SNAPSHOT_MAGIC = 0x5a4b534e; // "ZKSN"
/** Bytes of the header of either file: int magic, int version, long dbid. */
export const FILE_HEADER_BYTES = 16;
const FORMAT_VERSION = 2;

/** Writes the 16 bytes of a file header. */
export function encodeFileHeader(magic: number, dbid: number): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  header.writeInt32BE(magic, 0);
  header.writeInt32BE(FORMAT_VERSION, 4);
  header.writeBigInt64BE(BigInt(dbid), 8);
  return header;
}
