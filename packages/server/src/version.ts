/**
 * Which zebu this is, and which ZooKeeper it stands in for. Tools parse the text: three numbers, a
 * dash, something, `, built on`, and a date.
 */

import { readFileSync, statSync } from 'node:fs';

/** The release whose behaviour this server has. */
export const ZOOKEEPER_VERSION = '3.9.5';

// Put in by the build (tsup.config.ts); from source there is none.
declare const ZEBU_BUILD_DATE: string | undefined;

const packageFile = new URL('../package.json', import.meta.url);

/** The version of this package, e.g. `0.1.0`. */
export const ZEBU_VERSION: string = (
  JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }
).version;

/** As `YYYY-MM-DD HH:MM UTC`. */
export const BUILD_DATE: string =
  typeof ZEBU_BUILD_DATE === 'string'
    ? ZEBU_BUILD_DATE
    : formatBuildDate(statSync(packageFile).mtime);

/** What `srvr`, `mntr` and `envi` show: `3.9.5-zebu0.1.0, built on 2026-11-24 15:38 UTC`. */
export const FULL_VERSION = `${ZOOKEEPER_VERSION}-zebu${ZEBU_VERSION}, built on ${BUILD_DATE}`;

function formatBuildDate(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
