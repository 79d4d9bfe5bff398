import { isMaestroError } from '../base/errors.js';

/** How often a change of a record is tried before its conflict is told. */
const TRIES = 5;

/**
 * Requests about one execution are carried out one after another: each looks at where the execution is, waits for
 * the store, and then acts on what it saw, so two at once would both bring it into memory.
 */
export class OneByOne {
  private readonly last = new Map<string, Promise<unknown>>();

  run<T>(executionId: string, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(executionId) ?? Promise.resolve();
    const mine = before.then(() => contended(work));
    const over: Promise<unknown> = mine
      .catch(() => {})
      .then(() => {
        if (this.last.get(executionId) === over) this.last.delete(executionId);
      });
    this.last.set(executionId, over);
    return mine;
  }
}

/** Somebody changed the record meanwhile (this runtime included, as an execution comes to rest): look again. */
async function contended<T>(work: () => Promise<T>): Promise<T> {
  for (let left = TRIES; ; left--) {
    try {
      return await work();
    } catch (error) {
      if (left <= 1 || !isMaestroError(error, 'STORE_CONFLICT')) throw error;
    }
  }
}
