const INITIAL_BYTES = 4096;
/** Strings up to this long are tried as ASCII first: a call into native code costs more than the loop. */
const SHORT_STRING = 24;

/**
 * Appends numbers and strings to a buffer that grows. Numbers that are safe integers take 1 to 8 bytes (7 bits per
 * byte, low bits first); all others 9.
 */
export class ByteWriter {
  private bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  private length = 0;

  /** Starts over. Call it first: a writer is reused, and an encoder that threw leaves its bytes behind. */
  reset(): void {
    this.length = 0;
  }

  /** What was written; valid until the next call of any method. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  /** `value` is an integer from 0 to 2^53 - 1. */
  varint(value: number): void {
    this.reserve(8);
    const { bytes } = this;
    let at = this.length;
    if (value > 0x7fffffff) {
      // Four bytes at once: what is left fits into 32 bits, which take no division.
      const low = value % LOW_FOUR;
      bytes[at++] = (low & 0x7f) | 0x80;
      bytes[at++] = ((low >>> 7) & 0x7f) | 0x80;
      bytes[at++] = ((low >>> 14) & 0x7f) | 0x80;
      bytes[at++] = (low >>> 21) | 0x80;
      value = (value - low) / LOW_FOUR;
    }
    while (value > 0x7f) {
      bytes[at++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    bytes[at++] = value;
    this.length = at;
  }

  /** Any number, exactly. Integers between -2^51 and 2^51 are short: their sign and an escape bit come last. */
  number(value: number): void {
    if (
      value >= -INTEGER_LIMIT &&
      value < INTEGER_LIMIT &&
      Number.isInteger(value) &&
      !Object.is(value, -0)
    ) {
      this.varint(value < 0 ? value * -4 - 2 : value * 4);
      return;
    }
    this.reserve(9);
    this.bytes[this.length] = DOUBLE_ESCAPE;
    this.bytes.writeDoubleLE(value, this.length + 1);
    this.length += 9;
  }

  /** UTF-8 with its length; a lone surrogate becomes U+FFFD. */
  string(text: string): void {
    if (text.length <= SHORT_STRING && this.shortAscii(text)) return;
    const size = Buffer.byteLength(text);
    this.varint(size);
    this.reserve(size);
    this.length += this.bytes.write(text, this.length, size, 'utf8');
  }

  private shortAscii(text: string): boolean {
    this.reserve(1 + SHORT_STRING);
    let at = this.length;
    this.bytes[at++] = text.length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      this.bytes[at++] = code;
    }
    this.length = at;
    return true;
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}

/** A number whose varint starts with this is followed by 8 bytes of IEEE 754 double. */
export const DOUBLE_ESCAPE = 1;
const INTEGER_LIMIT = 2 ** 51;
/** What four bytes of a varint hold. */
const LOW_FOUR = 2 ** 28;
