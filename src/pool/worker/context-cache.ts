const MAX_CONTEXTS = 16;

/** Large global contexts, fetched once per execution and worker, the least recently used forgotten first. */
export class ContextCache {
  readonly #texts = new Map<string, string>();

  get(executionId: string): string | undefined {
    const text = this.#texts.get(executionId);
    if (text !== undefined) {
      this.#texts.delete(executionId);
      this.#texts.set(executionId, text);
    }
    return text;
  }

  async fetch(executionId: string, ask: () => Promise<string>): Promise<string> {
    const known = this.get(executionId);
    if (known !== undefined) return known;
    const text = await ask();
    this.#texts.set(executionId, text);
    for (const oldest of this.#texts.keys()) {
      if (this.#texts.size <= MAX_CONTEXTS) break;
      this.#texts.delete(oldest);
    }
    return text;
  }
}
