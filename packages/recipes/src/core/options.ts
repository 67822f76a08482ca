// What every recipe takes.

import { hostname } from 'node:os';
import type { Acl, OpOptions } from '@zebu/client';

export type { OpOptions };

export interface RecipeOptions {
  /** Of the znodes that the recipe creates. Default: everyone may do everything. */
  readonly acl?: readonly Acl[] | undefined;
  /** Who this is, for others to read. Default: the host's name and the process id. */
  readonly identity?: string | undefined;
  /**
   * What becomes of what is held when the connection is lost, and the session may or may not end.
   * 'strict' (the default): it is given up at once. 'lease': it is held for as long as the server keeps the session
   * without hearing from us (Session.safeUntil), less a margin: a bound on one server, an estimate in an ensemble.
   */
  readonly onSuspend?: 'strict' | 'lease' | undefined;
}

const KNOWN: { readonly [K in keyof Required<RecipeOptions>]: (value: unknown) => boolean } = {
  acl: Array.isArray,
  identity: (value) => typeof value === 'string',
  onSuspend: (value) => value === 'strict' || value === 'lease',
};

/** RecipeOptions with their defaults. */
export interface RecipeSettings {
  readonly acl: readonly Acl[] | undefined;
  readonly identity: string;
  readonly onSuspend: 'strict' | 'lease';
}

/** Throws a TypeError for what is unknown or of another type. `also` are a recipe's own options. */
export function recipeSettings(
  recipe: string,
  options: RecipeOptions | undefined,
  also: readonly string[] = [],
): RecipeSettings {
  const given = options ?? {};
  for (const [name, value] of Object.entries(given)) {
    if (also.includes(name)) continue;
    const accepts = Object.hasOwn(KNOWN, name) ? KNOWN[name as keyof typeof KNOWN] : undefined;
    if (accepts === undefined) {
      const known = [...Object.keys(KNOWN), ...also].join(', ');
      throw new TypeError(`${recipe}() knows no option ${name}; it knows ${known}`);
    }
    if (value !== undefined && !accepts(value)) {
      throw new TypeError(`${recipe}(): the option ${name} cannot be ${String(value)}`);
    }
  }
  return {
    acl: given.acl,
    identity: given.identity ?? `${hostname()}:${process.pid}`,
    onSuspend: given.onSuspend ?? 'strict',
  };
}
