// How long property tests search. One fixed seed, so that a run tells of a change and not of luck;
// ZEBU_FC_SEED and ZEBU_FC_RUNS search elsewhere, and longer.

export const RUNS = {
  numRuns: Number(process.env.ZEBU_FC_RUNS ?? 100),
  seed: Number(process.env.ZEBU_FC_SEED ?? 20261124),
};
