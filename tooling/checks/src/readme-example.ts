// The example of a package's README: the first ts block under the heading "## Example".

/** The example's code, or undefined if the README has none. */
export function readmeExample(markdown: string): string | undefined {
  const section = /^## Example\s*$([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(markdown)?.[1];
  return section === undefined ? undefined : /^```ts\s*\n([\s\S]*?)^```/m.exec(section)?.[1];
}
