// Connections whose peers have said their end, closed a few at a time: libuv calls back for all that it
// found readable before it looks at anything else, and closing a socket costs ten microseconds. Ten
// thousand clients that vanish at once would hold the loop for more than a tenth of a second.

interface Left {
  /** The peer said its end a moment ago. */
  leave(): void;
}

/** Closed in one turn of the loop. */
const MAX_OF_A_TURN = 256;

export class Leaving {
  private readonly waiting: Left[] = [];
  private isScheduled = false;

  add(connection: Left): void {
    this.waiting.push(connection);
    this.schedule();
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(this.closeSome);
  }

  private readonly closeSome = (): void => {
    this.isScheduled = false;
    for (const connection of this.waiting.splice(0, MAX_OF_A_TURN)) connection.leave();
    if (this.waiting.length > 0) this.schedule();
  };
}
