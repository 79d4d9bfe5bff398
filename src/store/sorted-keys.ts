const BLOCK_SIZE = 512;

/**
 * An ordered set of strings (by UTF-16 unit, which for ASCII is byte order): a list of sorted blocks, each at most
 * BLOCK_SIZE long. Insert, remove and seek cost a binary search over the blocks and a move within one.
 */
export class SortedKeys {
  /** Never holds an empty block; all keys of a block are less than those of the next. */
  private readonly blocks: string[][] = [];

  add(key: string): void {
    if (this.blocks.length === 0) {
      this.blocks.push([key]);
      return;
    }
    const index = Math.max(0, this.blockOf(key));
    const block = this.blocks[index];
    const at = lowerBound(block, key);
    if (block[at] === key) return;
    block.splice(at, 0, key);
    if (block.length <= BLOCK_SIZE) return;
    // Appending in order is the common case: leave full blocks behind instead of half-full ones.
    const cut = at === block.length - 1 ? BLOCK_SIZE : block.length >> 1;
    this.blocks.splice(index + 1, 0, block.splice(cut));
  }

  remove(key: string): void {
    const index = this.blockOf(key);
    if (index < 0) return;
    const block = this.blocks[index];
    const at = lowerBound(block, key);
    if (block[at] !== key) return;
    block.splice(at, 1);
    if (block.length === 0) this.blocks.splice(index, 1);
  }

  /** Up to `limit` keys of [start, end), in order, or from the end backwards. */
  slice(start: string, end: string, limit: number, reverse: boolean): string[] {
    return reverse ? this.backwards(start, end, limit) : this.forwards(start, end, limit);
  }

  private forwards(start: string, end: string, limit: number): string[] {
    const found: string[] = [];
    let index = Math.max(0, this.blockOf(start));
    let at = index < this.blocks.length ? lowerBound(this.blocks[index], start) : 0;
    for (; index < this.blocks.length; index++, at = 0) {
      for (const block = this.blocks[index]; at < block.length; at++) {
        if (block[at] >= end || found.length >= limit) return found;
        found.push(block[at]);
      }
    }
    return found;
  }

  private backwards(start: string, end: string, limit: number): string[] {
    const found: string[] = [];
    let index = this.blockOf(end);
    if (index < 0) return found;
    let at = lowerBound(this.blocks[index], end) - 1;
    for (;;) {
      for (const block = this.blocks[index]; at >= 0; at--) {
        if (block[at] < start || found.length >= limit) return found;
        found.push(block[at]);
      }
      if (--index < 0) return found;
      at = this.blocks[index].length - 1;
    }
  }

  /** The last block whose first key is at most `key`; -1 when all keys are greater. */
  private blockOf(key: string): number {
    let low = 0;
    let high = this.blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.blocks[middle][0] <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** The first position whose key is at least `key`. */
function lowerBound(block: readonly string[], key: string): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (block[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
