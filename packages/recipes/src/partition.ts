// @zebu/recipes/partition: items that are divided among those who are there. See README.md.

export { type PartitionOptions, partition } from './partition/partition.ts';
export { rank } from './partition/rank.ts';
