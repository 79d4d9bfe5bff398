/** Those who want to know when something happens to what has a name: an execution, a workflow. */
export class Listeners<T> {
  private readonly byName = new Map<string, Set<(value: T) => void>>();

  tell(name: string, value: T): void {
    const listeners = this.byName.get(name);
    if (listeners !== undefined) for (const listener of listeners) listener(value);
  }

  /** @returns how to leave */
  join(name: string, listener: (value: T) => void): () => void {
    const listeners = this.byName.get(name) ?? new Set();
    this.byName.set(name, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.byName.get(name) === listeners) this.byName.delete(name);
    };
  }
}
