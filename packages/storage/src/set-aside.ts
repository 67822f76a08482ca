// A torn batch may hold whole records after its hole. They were not acknowledged, as far as the log can
// tell, and they must go, for zxids may not have gaps. But what cannot be told from that is a sector
// that the disk lost later (decision 016). So a tail with whole records in it is kept, for a human to
// look at; one without goes.
//
//   cut-log.<hex>-<offset>[-<n>]     16 bytes of header, then the bytes of log.<hex> from offset on

import type { Disk } from './disk.ts';
import { encodeFileHeader, FILE_HEADER_BYTES, LOG_MAGIC } from './file-header.ts';
import { cutName } from './file-names.ts';
import type { TornTail } from './log-reader.ts';

/**
 * Writes the torn tail to a file of its own beside its log, durably, and returns the path. Asked again,
 * after a crash before the cut, it finds the same file. Throws what the disk throws.
 */
export function setTailAside(disk: Disk, tail: TornTail): string {
  const bytes = Buffer.alloc(FILE_HEADER_BYTES + tail.end - tail.offset);
  encodeFileHeader(LOG_MAGIC, 0).copy(bytes);
  const log = disk.openRead(tail.file);
  try {
    log.read(bytes, FILE_HEADER_BYTES, tail.end - tail.offset, tail.offset);
  } finally {
    log.close();
  }
  const slash = tail.file.lastIndexOf('/');
  const directory = tail.file.slice(0, slash);
  const name = tail.file.slice(slash + 1);
  for (let n = 1; ; n += 1) {
    const path = `${directory}/${cutName(name, tail.offset, n)}`;
    if (disk.exists(path)) {
      if (disk.readFile(path).equals(bytes)) return path;
      continue;
    }
    disk.writeFile(path, bytes);
    disk.syncDirectory(directory);
    return path;
  }
}
