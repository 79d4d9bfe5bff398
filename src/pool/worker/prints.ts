import { StringDecoder } from 'node:string_decoder';
import type { OutputStream } from '../port.js';

/** So much is sent at once, in characters; less waits until the event loop turns or the job ends. */
const MESSAGE_CHARS = 8192;

interface Piece {
  readonly stream: OutputStream;
  text: string;
}

/**
 * What one job prints, on its way to the host. A loop that prints without end would fill the host's queue: after
 * `limit` characters only the last of what is printed between two turns of the event loop is sent on.
 */
export class Prints {
  readonly #limit: number;
  readonly #send: (stream: OutputStream, text: string, skippedChars: number) => void;
  readonly #decoders = new Map<OutputStream, StringDecoder>();
  #pieces: Piece[] = [];
  #chars = 0;
  #sentChars = 0;
  #skippedChars = 0;
  #immediate: NodeJS.Immediate | undefined;

  /** @param send also told how many characters before the text are not sent */
  constructor(limit: number, send: (stream: OutputStream, text: string, skippedChars: number) => void) {
    this.#limit = limit;
    this.#send = send;
  }

  write(stream: OutputStream, chunk: Uint8Array | string): void {
    const text = typeof chunk === 'string' ? chunk : this.#decoder(stream).write(Buffer.from(chunk));
    if (text === '') return;
    const last = this.#pieces.at(-1);
    if (last?.stream === stream) last.text += text;
    else this.#pieces.push({ stream, text });
    this.#chars += text.length;
    if (this.#sentChars >= this.#limit) this.#cut();
    else if (this.#chars >= MESSAGE_CHARS) return this.flush();
    this.#immediate ??= setImmediate(() => this.flush());
  }

  flush(): void {
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    this.#immediate = undefined;
    for (const { stream, text } of this.#pieces) {
      this.#send(stream, text, this.#skippedChars);
      this.#skippedChars = 0;
    }
    this.#sentChars += this.#chars;
    this.#pieces = [];
    this.#chars = 0;
  }

  /** Keeps the last `limit` characters, or up to twice as many: cutting now and then keeps printing linear. */
  #cut(): void {
    const pieces = this.#pieces;
    if (this.#chars <= this.#limit * 2 && pieces.length <= this.#limit) return;
    const excess = this.#chars - this.#limit;
    let count = 0;
    let chars = 0;
    // Many small pieces cost more than their characters.
    while (count < pieces.length - 1) {
      const next = chars + pieces[count].text.length;
      if (next > excess && pieces.length - count <= this.#limit / 2) break;
      chars = next;
      count++;
    }
    pieces.splice(0, count);
    if (chars < excess) pieces[0].text = pieces[0].text.slice(excess - chars);
    chars = Math.max(chars, excess);
    this.#skippedChars += chars;
    this.#chars -= chars;
  }

  #decoder(stream: OutputStream): StringDecoder {
    let decoder = this.#decoders.get(stream);
    if (decoder === undefined) this.#decoders.set(stream, (decoder = new StringDecoder('utf8')));
    return decoder;
  }
}
