/** What could be a whole JSON text; everything else is not even tried. */
const JSON_LINE = /^(?:\{.*\}|\[.*\]|".*"|-?\d[\d.eE+-]*|true|false|null)$/s;

/** Finds the last line of a stream that is a JSON value. Holds one line at a time, none longer than the limit. */
export class LastJsonLine {
  readonly #limit: number;
  #line: string[] = [];
  #lineLength = 0;
  #found: { readonly value: unknown } | { readonly tooLong: true } | undefined;

  /** `limit`: the longest line that is looked at, in characters. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  append(text: string): void {
    let from = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
      this.#extend(text.slice(from, at));
      this.#endLine();
      from = at + 1;
    }
    this.#extend(text.slice(from));
  }

  /** Call at the end of the stream. */
  end(): { readonly value: unknown } | { readonly tooLong: true } | undefined {
    this.#endLine();
    return this.#found;
  }

  #extend(piece: string): void {
    this.#lineLength += piece.length;
    // Of a line over the limit only the beginning is kept: it says whether this was meant as JSON.
    if (piece !== '' && this.#lineLength - piece.length <= this.#limit) this.#line.push(piece);
  }

  #endLine(): void {
    const line = this.#line.join('').trim();
    if (this.#lineLength > this.#limit) {
      if (line.startsWith('{') || line.startsWith('[')) this.#found = { tooLong: true };
    } else if (JSON_LINE.test(line)) {
      try {
        this.#found = { value: JSON.parse(line) as unknown };
      } catch {
        // Looks like JSON and is not: an ordinary line.
      }
    }
    this.#line = [];
    this.#lineLength = 0;
  }
}
