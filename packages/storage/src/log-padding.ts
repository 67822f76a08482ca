// How far a txn log file reaches beyond its last record: its preallocated size, and the zeros written ahead.

/** Java's default of `zookeeper.preAllocSize`. */
export const DEFAULT_PREALLOC_BYTES = 65536 * 1024;
/** A log grows when fewer bytes than this are left (FilePadding.calculateFileSizeWithPadding). */
const PADDING_MARGIN_BYTES = 4096;

/**
 * Zeros that go along with the first batch that reaches a part of a log file which was never written. Its
 * blocks are allocated by that write; what is written after it falls on allocated blocks and changes no
 * metadata (decision 018).
 */
export const ZEROS_BYTES: number = 512 * 1024;

/**
 * The size a log file should have before bytes are written at `position` of a file of `size` bytes.
 * The same as it has when there is room enough. FilePadding.calculateFileSizeWithPadding.
 */
export function paddedSize(position: number, size: number, preAllocBytes: number): number {
  if (preAllocBytes <= 0 || position + PADDING_MARGIN_BYTES < size) return size;
  if (position > size) {
    const wanted = position + preAllocBytes;
    return wanted - (wanted % preAllocBytes);
  }
  return size + preAllocBytes;
}
