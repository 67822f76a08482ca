// @zebu/recipes/election: leader election. See README.md.

export type { Held } from './core/held.ts';
export type { RecipeOptions } from './core/options.ts';
export {
  type Election,
  type ElectionOptions,
  election,
  type Leader,
  type Published,
  type RunTermsOptions,
  type Term,
  type TermsOptions,
} from './election/election.ts';
