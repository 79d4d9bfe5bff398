type Column = Uint8Array | Int32Array | Uint32Array | Float64Array;

/**
 * A column with room for more, what is new is 0: the same memory while that lasts, else a copy with twice as much, so
 * that growing costs each element a constant. Only for columns whose buffer nobody else grows.
 */
export function grown<T extends Column>(column: T, length: number): T {
  const Constructor = column.constructor as new (
    from: ArrayBufferLike | number,
    at?: number,
    n?: number,
  ) => T;
  if (column.byteOffset === 0 && length * column.BYTES_PER_ELEMENT <= column.buffer.byteLength)
    return new Constructor(column.buffer, 0, length);
  const larger = new Constructor(Math.max(length, 2 * column.length));
  larger.set(column);
  return new Constructor(larger.buffer, 0, length);
}
