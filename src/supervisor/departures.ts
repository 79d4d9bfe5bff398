/** Executions on their way out of memory, and who waits until they have left. */
export class Departures {
  private readonly waiting = new Map<string, (() => void)[]>();

  /** It leaves. */
  begin(executionId: string): void {
    if (!this.waiting.has(executionId)) this.waiting.set(executionId, []);
  }

  /** Resolves when it has left; at once when it does not leave. */
  when(executionId: string): Promise<void> {
    const waiting = this.waiting.get(executionId);
    return waiting === undefined ? Promise.resolve() : new Promise((gone) => waiting.push(gone));
  }

  /** It has left. */
  end(executionId: string): void {
    const waiting = this.waiting.get(executionId) ?? [];
    this.waiting.delete(executionId);
    for (const gone of waiting) gone();
  }

  /** Nobody waits any more. */
  endAll(): void {
    for (const executionId of [...this.waiting.keys()]) this.end(executionId);
  }
}
