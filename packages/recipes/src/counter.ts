// @zebu/recipes/counter: a number that many add to. See README.md.

export { type Counter, counter } from './counter/counter.ts';
