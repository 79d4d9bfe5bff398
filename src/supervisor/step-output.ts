import type { LogEntry, OutputStream } from '../store/step-logs.js';

/** What is written to one stream within this time is one entry, in milliseconds. */
const MERGE_MS = 100;
/** What an entry costs besides its text, in characters: many small ones are bounded, too. */
const ENTRY_CHARS = 16;

/**
 * What one attempt writes, in bounded memory: the first half of the limit and the last half are kept, and the
 * offsets of entries tell what was between them. Lengths are in characters.
 */
export class StepOutput {
  readonly #half: number;
  #head: LogEntry[] = [];
  #headChars = 0;
  #tail: LogEntry[] = [];
  #tailChars = 0;
  #written = 0;

  /** @param beganMs when it first wrote */
  constructor(
    limit: number,
    readonly beganMs: number,
  ) {
    this.#half = Math.max(1, Math.floor(limit / 2));
  }

  /** All that was written, also what was cut. */
  get writtenChars(): number {
    return this.#written;
  }

  /** @param skipped characters that were written before this text and are not here */
  append(stream: OutputStream, text: string, atMs: number, skipped = 0): void {
    this.#written += skipped;
    const room = Math.max(0, this.#half - this.#headChars - ENTRY_CHARS);
    const first = text.slice(0, room);
    if (first !== '') this.#headChars += this.#add(this.#head, stream, first, atMs);
    const rest = text.slice(first.length);
    if (rest === '') return;
    // From here on everything goes to the tail: entries stay in order.
    this.#headChars = this.#half;
    this.#tailChars += this.#add(this.#tail, stream, rest, atMs);
    // Cutting only now and then keeps appending linear.
    if (this.#tailChars > this.#half * 2) {
      this.#tail = lastOf(this.#tail, this.#half);
      this.#tailChars = sizeOf(this.#tail);
    }
  }

  entries(): LogEntry[] {
    return [...this.#head, ...lastOf(this.#tail, this.#half)];
  }

  /** @returns what it costs */
  #add(list: LogEntry[], stream: OutputStream, text: string, atMs: number): number {
    const offset = this.#written;
    this.#written += text.length;
    const last = list.at(-1);
    const follows = last?.stream === stream && last.offset + last.text.length === offset;
    if (last !== undefined && follows && atMs - last.atMs < MERGE_MS) {
      list[list.length - 1] = { ...last, text: last.text + text };
      return text.length;
    }
    list.push({ stream, atMs, offset, text });
    return text.length + ENTRY_CHARS;
  }
}

/** The last entries that cost no more than `limit`, the first of them cut to fit. */
function lastOf(entries: readonly LogEntry[], limit: number): LogEntry[] {
  let left = limit;
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i];
    const cost = entry.text.length + ENTRY_CHARS;
    if (cost <= left) {
      left -= cost;
      continue;
    }
    const kept = Math.max(0, left - ENTRY_CHARS);
    const cut = entry.text.length - kept;
    const rest = entries.slice(i + 1);
    return kept === 0
      ? rest
      : [{ ...entry, offset: entry.offset + cut, text: entry.text.slice(cut) }, ...rest];
  }
  return [...entries];
}

function sizeOf(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { text }) => sum + text.length + ENTRY_CHARS, 0);
}
