import type { ExecutionEvent } from '../../observe/events.js';

const BUFFER = 256;

/** Reads events ahead of the application, a bounded number, so that one crossing carries what is at hand. */
export class EventCursor {
  private buffer: ExecutionEvent[] = [];
  private ended = false;
  private failure: Error | null = null;
  private wakeReader = (): void => {};
  private wakePump = (): void => {};
  private readonly iterator: AsyncIterator<ExecutionEvent>;

  constructor(events: AsyncIterable<ExecutionEvent>) {
    this.iterator = events[Symbol.asyncIterator]();
    void this.pump();
  }

  /** At least one event; none when there are no more. @throws what reading threw */
  async next(): Promise<ExecutionEvent[]> {
    while (this.buffer.length === 0 && !this.ended)
      await new Promise<void>((wake) => (this.wakeReader = wake));
    if (this.buffer.length === 0 && this.failure !== null) throw this.failure;
    const events = this.buffer;
    this.buffer = [];
    this.wakePump();
    return events;
  }

  close(): void {
    this.ended = true;
    this.wakePump();
    this.wakeReader();
    // Not awaited: one that waits for its next event returns only after it.
    this.iterator.return?.().catch(() => {});
  }

  private async pump(): Promise<void> {
    try {
      while (!this.ended) {
        const item = await this.iterator.next();
        if (item.done) break;
        this.buffer.push(item.value);
        this.wakeReader();
        while (this.buffer.length >= BUFFER && !this.ended)
          await new Promise<void>((wake) => (this.wakePump = wake));
      }
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
    }
    this.ended = true;
    this.wakeReader();
  }
}
