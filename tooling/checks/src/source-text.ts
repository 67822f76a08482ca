// Just enough reading of TypeScript source for the boundary tests. Not a parser: it may be fooled by
// a template string that holds code, which no test here minds.

/** The source with comments and the contents of quoted strings taken out. */
export function stripCommentsAndStrings(source: string): string {
  return source.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g,
    (match) => (match.startsWith('/') ? ' ' : "''"),
  );
}

/** Every module specifier that the source imports or exports from. */
export function importSpecifiers(source: string): string[] {
  const pattern =
    /\b(?:from|import)\s*\(?\s*(?:'([^'\n]+)'|"([^"\n]+)")|\bimport\.meta\.resolve\(\s*'([^'\n]+)'/g;
  return [...source.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}
