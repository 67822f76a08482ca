// Generated parts of a Markdown page: what is between `<!-- name: begin -->` and `<!-- name: end -->`.

import { readFileSync, writeFileSync } from 'node:fs';

/** Throws when the page has no such part. */
export function writeBetween(file: string, name: string, text: string): void {
  const start = `<!-- ${name}: begin -->`;
  const page = readFileSync(file, 'utf8');
  const from = page.indexOf(start);
  const to = page.indexOf(`<!-- ${name}: end -->`);
  if (from < 0 || to < from) throw new Error(`${file} has no part ${name}`);
  writeFileSync(
    file,
    `${page.slice(0, from + start.length)}\n\n${text.trim()}\n\n${page.slice(to)}`,
  );
}
