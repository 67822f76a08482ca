// Whether to colour, and with what. NO_COLOR and FORCE_COLOR as everywhere (no-color.org).

import { styleText } from 'node:util';

const STYLES = {
  prompt: 'cyan',
  warning: 'yellow',
  error: 'red',
  event: 'magenta',
  dim: 'dim',
  added: 'green',
  removed: 'red',
  changed: 'yellow',
  strong: 'bold',
} as const;

export type StyleName = keyof typeof STYLES;

export function styled(name: StyleName, text: string): string {
  return styleText(STYLES[name], text, { validateStream: false });
}

export function wantsColour(isTty: boolean, env: NodeJS.ProcessEnv): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0') return true;
  return isTty && env.TERM !== 'dumb';
}
