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

  /** Made before the first read, so that no notification is missed. `isLive`: whether more may follow at all. */
  follow(executionId: string, isLive: () => boolean): Follower {
    const signal = this.signals.get(executionId) ?? new Signal();
    this.signals.set(executionId, signal);
    signal.followers++;
    return new Follower(signal, isLive, () => {
      if (--signal.followers === 0) this.signals.delete(executionId);
    });
  }
}

/** One who reads along. */
export class Follower {
  private seen: number;

  constructor(
    private readonly signal: Signal,
    private readonly isLive: () => boolean,
    readonly leave: () => void,
  ) {
    this.seen = signal.version;
  }

  /** To be awaited at the end of what was read: true when there may be more, false when nothing will follow. */
  async more(): Promise<boolean> {
    for (;;) {
      if (this.signal.version !== this.seen) {
        this.seen = this.signal.version;
        return true;
      }
      if (!this.isLive()) return false;
      await this.signal.next();
    }
  }
}

class Signal {
  version = 0;
  followers = 0;
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
