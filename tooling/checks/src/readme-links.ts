// The links of a README that are relative to it.

/** Their targets, without fragments, in the order of their kinds. */
export function relativeLinks(markdown: string): string[] {
  const text = markdown
    .replaceAll(/^(```+|~~~+)[\s\S]*?^\1/gm, '')
    .replaceAll(/`[^`\n]*`/g, 'code');
  const targets = [
    ...text.matchAll(/\]\((?:<([^>\n]*)>|([^\s)]*))/g),
    ...text.matchAll(/^ {0,3}\[[^\]]+\]:\s*(?:<([^>\n]*)>|(\S+))/gm),
    ...text.matchAll(/(?:href|src)=(?:"([^"]*)"|'([^']*)')/g),
  ].map(([, first, second]) => first ?? second ?? '');
  return targets
    .filter((target) => !/^(?:[a-z][a-z\d+.-]*:|#|\/\/)/i.test(target))
    .map((target) => target.replace(/#.*$/s, ''));
}
