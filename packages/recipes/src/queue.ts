// @zebu/recipes/queue: work that is handed out, one item to one consumer. See README.md.

export {
  type ConsumeOptions,
  type PutOptions,
  type Queue,
  type QueueItem,
  type QueueOptions,
  queue,
} from './queue/queue.ts';
