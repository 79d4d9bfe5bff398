import { DOUBLE_ESCAPE } from './byte-writer.js';

/**
 * Reads what ByteWriter wrote. Every read is checked against the end.
 * @throws RangeError from any method when the bytes cannot come from a ByteWriter.
 */
export class ByteReader {
  private at = 0;
  private readonly bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get remaining(): number {
    return this.bytes.length - this.at;
  }

  byte(): number {
    if (this.at >= this.bytes.length) throw new RangeError('it ends too early');
    return this.bytes[this.at++];
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 0x80;
      if (scale > 2 ** 49) throw new RangeError('it has a number that is too long');
    }
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('it has a number that is too large');
    return value;
  }

  number(): number {
    const coded = this.varint();
    switch (coded % 4) {
      case 0:
        return coded / 4;
      case 2:
        return (coded + 2) / -4;
      default:
        return this.double(coded);
    }
  }

  string(): string {
    const size = this.varint();
    if (size > this.remaining) throw new RangeError('it has a text that is too long');
    const start = this.at;
    this.at += size;
    return this.bytes.toString('utf8', start, this.at);
  }

  private double(coded: number): number {
    if (coded !== DOUBLE_ESCAPE || this.remaining < 8) throw new RangeError('it has a malformed number');
    this.at += 8;
    return this.bytes.readDoubleLE(this.at - 8);
  }
}
