/** Wakes those who follow an execution's history when there is more of it. */
export class Followers {
  private readonly signals = new Map<string, Signal>();

  /** More of the execution is stored, or nothing more will be. */
  notify(executionId: string): void {
    this.signals.get(executionId)?.bump();
  }

  notifyAll(): void {
    for (const signal of this.signals.values()) signal.bump();
  }

  /**
   * A function to await at the end of what was read: true when there may be more, false when `isLive` says that
   * nothing will follow and all was read. Created before the first read, so no notification is missed.
   */
  follow(executionId: string, isLive: () => boolean): () => Promise<boolean> {
    let signal = this.signals.get(executionId);
    if (signal === undefined) {
      signal = new Signal();
      this.signals.set(executionId, signal);
    }
    const held = signal;
    let seen = held.version;
    return async () => {
      for (;;) {
        if (held.version !== seen) {
          seen = held.version;
          return true;
        }
        if (!isLive()) {
          this.signals.delete(executionId);
          return false;
        }
        await held.next();
      }
    };
  }
}

class Signal {
  version = 0;
  private waiters: (() => void)[] = [];

  bump(): void {
    this.version++;
    const { waiters } = this;
    this.waiters = [];
    for (const wake of waiters) wake();
  }

  next(): Promise<void> {
    return new Promise((wake) => this.waiters.push(wake));
  }
}
