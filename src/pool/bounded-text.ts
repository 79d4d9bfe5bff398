/**
 * Collects text of any length in bounded memory: the first half of the limit and the last half are kept, and what
 * was between them is counted. Lengths are in characters.
 */
export class BoundedText {
  readonly #half: number;
  #head = '';
  #tail = '';
  #length = 0;

  constructor(limit: number) {
    this.#half = Math.max(1, Math.floor(limit / 2));
  }

  append(text: string): void {
    this.#length += text.length;
    const room = this.#half - this.#head.length;
    this.#head += text.slice(0, Math.max(0, room));
    const rest = room > 0 ? text.slice(room) : text;
    if (rest === '') return;
    this.#tail += rest;
    // Cutting only now and then keeps appending linear.
    if (this.#tail.length > this.#half * 2) this.#tail = this.#tail.slice(-this.#half);
  }

  /** Characters that were dropped from the middle. */
  get droppedChars(): number {
    return Math.max(0, this.#length - this.#head.length - this.#half);
  }

  /** Everything that was kept, saying where something was dropped. */
  text(): string {
    const tail = this.#tail.slice(-this.#half);
    return this.droppedChars === 0
      ? this.#head + tail
      : `${this.#head}\n… ${this.droppedChars} characters cut …\n${tail}`;
  }

  /** The last `limit` characters kept. */
  end(limit: number): string {
    return (this.#head + this.#tail).slice(-limit);
  }
}
