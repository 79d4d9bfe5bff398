import { readSync } from 'node:fs';
import {
  BIG_DATA,
  BRANCH,
  LEAF,
  META_BYTES,
  NO_PAGE,
  NODE_HEADER,
  OVERFLOW,
  PAGE_HEADER,
  readMeta,
  readPageHead,
  u64,
  type Meta,
  type TreeHead,
} from './lmdb-pages.js';

/** Flag of a tree whose keys are numbers. */
const INTEGER_KEYS = 8;
/** Largest page LMDB has. */
const MAX_PAGE_BYTES = 65_536;

/** The newest state of an open data file; undefined when it has none of the format known here. */
export function newestMeta(file: number): Meta | undefined {
  const first = metaAt(file, 0);
  if (first === undefined) return undefined;
  const { pageBytes } = first;
  if (pageBytes < 512 || pageBytes > MAX_PAGE_BYTES || (pageBytes & (pageBytes - 1)) !== 0)
    throw new Error(`it says that its pages have ${pageBytes} bytes`);
  const second = metaAt(file, pageBytes);
  if (second === undefined) throw new Error('its second head is not one');
  const newest = second.txn > first.txn ? second : first;
  if (newest.free.flags !== INTEGER_KEYS || newest.main.flags !== 0)
    throw new Error('its trees are of another kind');
  return newest;
}

function metaAt(file: number, at: number): Meta | undefined {
  const bytes = Buffer.alloc(META_BYTES);
  return readSync(file, bytes, 0, META_BYTES, at) === META_BYTES ? readMeta(bytes) : undefined;
}

type Node = (page: Buffer, at: number, flags: number, keyBytes: number, dataBytes: number) => void;

/**
 * Follows every pointer in one state of a data file by reading it, never by mapping it: whatever is damaged, this
 * process lives. What holds afterwards: every page is reached once and is what its place says, every node lies within
 * its page and beside the others, keys ascend, and no page that holds data is in the list of free ones. Whether values
 * are what was written is not looked at: they have checksums of their own.
 *
 * Costs about 5 µs for each page that holds keys. `mayGoOn` is asked now and then: false ends the walk early, and
 * only what was read is known to be good.
 */
export class LmdbStructure {
  /** Pages reached so far, by number. */
  private readonly reached: Uint8Array;
  /** Where leaves of data are read to, one after the other: a buffer for each costs more than what is done with it. */
  private readonly leaf: Buffer;
  private isWhole = true;

  constructor(
    private readonly file: number,
    private readonly meta: Meta,
    private readonly mayGoOn: () => boolean,
  ) {
    this.reached = new Uint8Array(meta.lastPage + 1);
    this.reached.fill(1, 0, 2);
    this.leaf = Buffer.allocUnsafe(meta.pageBytes);
  }

  /** @returns false when it was ended early. @throws Error saying what is wrong */
  check(): boolean {
    this.checkTree(this.meta.main, 'data', () => undefined);
    const free: Buffer[] = [];
    this.checkTree(this.meta.free, 'free pages', (page, at, flags, keyBytes, dataBytes) => {
      const from = at + NODE_HEADER + keyBytes;
      const isBig = (flags & BIG_DATA) !== 0;
      free.push(
        isBig ? this.overflowData(u64(page, from), dataBytes) : page.subarray(from, from + dataBytes),
      );
    });
    if (this.isWhole) for (const list of free) this.checkFreeList(list);
    return this.isWhole;
  }

  private checkTree(tree: TreeHead, name: string, visit: Node): void {
    if (tree.root === NO_PAGE || tree.depth === 0) {
      if (tree.entries > 0) throw new Error(`its tree of ${name} has entries and no root`);
      return;
    }
    const isData = name === 'data';
    const walk = new TreeWalk(isData);
    const counts = { branchPages: 0, leafPages: 0, overflowPages: 0, entries: 0 };
    let level: Child[] = [{ number: tree.root, low: undefined }];
    for (let depth = 1; depth <= tree.depth; depth++) {
      const isLeaf = depth === tree.depth;
      const children: Child[] = [];
      for (const [k, { number, low }] of level.entries()) {
        if (k % 64 === 63 && !this.mayGoOn()) {
          this.isWhole = false;
          return;
        }
        const page = this.take(number, 1, isData && isLeaf ? this.leaf : undefined);
        const nodes = this.checkPage(page, number, isLeaf ? LEAF : BRANCH);
        counts[isLeaf ? 'leafPages' : 'branchPages']++;
        for (const [n, at] of nodes.entries()) {
          const keyBytes = page.readUInt16LE(at + 6);
          const key = page.subarray(at + NODE_HEADER, at + NODE_HEADER + keyBytes);
          // The first key of a branch page is not used: what its parent says is the bound.
          const bound = !isLeaf && n === 0 ? low : key;
          if (isLeaf && n === 0) walk.checkBound(number, depth, low, key);
          if (bound !== undefined) walk.checkOrder(number, depth, bound, isLeaf);
          if (!isLeaf) {
            children.push({ number: pageNumber(page, at), low: bound });
            continue;
          }
          counts.entries++;
          counts.overflowPages += this.checkData(page, number, at, keyBytes);
          visit(page, at, page.readUInt16LE(at + 4), keyBytes, dataSize(page, at));
        }
        walk.leavePage();
      }
      level = children;
    }
    for (const [what, count] of Object.entries(counts)) {
      const expected = tree[what as keyof typeof counts];
      if (count !== expected)
        throw new Error(`its tree of ${name} has ${count} ${what} instead of ${expected}`);
    }
  }

  /** Reads a page (the first of several) and marks it as reached. @param target default: a new buffer */
  private take(number: number, pages: number, target?: Buffer): Buffer {
    const { lastPage, pageBytes } = this.meta;
    if (number < 2 || number + pages - 1 > lastPage)
      throw new Error(`it points to page ${number}, which cannot be`);
    for (let each = number; each < number + pages; each++) {
      if (this.reached[each] === 1) throw new Error(`it points to page ${each} twice`);
      this.reached[each] = 1;
    }
    return this.read(number * pageBytes, pageBytes, target);
  }

  private read(at: number, bytes: number, target: Buffer = Buffer.allocUnsafe(bytes)): Buffer {
    const got = readSync(this.file, target, 0, bytes, at);
    if (got !== bytes) throw new Error(`it ends at byte ${at + got}, before what it points to`);
    return target;
  }

  /** @returns where the nodes of the page begin, in the order of their keys */
  private checkPage(page: Buffer, number: number, kind: number): number[] {
    const bad = (why: string): Error => new Error(`page ${number} ${why}`);
    const { txn, flags, lower, upper, ...head } = readPageHead(page);
    if (head.number !== number) throw bad(`says that it is page ${head.number}`);
    if (txn > this.meta.txn) throw bad('is newer than the file');
    if (flags !== kind) throw bad(`is of kind ${flags} instead of ${kind}`);
    const room = page.length - PAGE_HEADER;
    if (lower % 2 !== 0 || lower === 0 || lower > upper || upper > room) throw bad('has impossible bounds');
    const nodes: number[] = [];
    let used = 0;
    for (let pointer = PAGE_HEADER; pointer < PAGE_HEADER + lower; pointer += 2) {
      const offset = page.readUInt16LE(pointer);
      const at = PAGE_HEADER + offset;
      if (offset < upper || at + NODE_HEADER > page.length) throw bad('points outside of itself');
      const size = nodeSize(page, at, kind);
      if (at + size > page.length) throw bad('has an entry that is longer than the page');
      used += size + (size % 2);
      nodes.push(at);
    }
    // LMDB keeps entries side by side: were there a hole, two of them would overlap.
    if (used !== room - upper) throw bad(`has ${used} bytes of entries instead of ${room - upper}`);
    return nodes;
  }

  /** @returns how many pages of its own the data has */
  private checkData(page: Buffer, number: number, at: number, keyBytes: number): number {
    const flags = page.readUInt16LE(at + 4);
    if (flags === 0) return 0;
    if (flags !== BIG_DATA) throw new Error(`page ${number} has an entry of kind ${flags}`);
    const from = at + NODE_HEADER + keyBytes;
    const [start, pages] = [u64(page, from), u64(page, from + 16)];
    if (pages !== Math.ceil((PAGE_HEADER + dataSize(page, at)) / page.length))
      throw new Error(`page ${number} has an entry with the wrong number of pages`);
    const head = readPageHead(this.take(start, pages));
    if (head.number !== start || head.flags !== OVERFLOW || head.pages !== pages)
      throw new Error(`page ${start} does not hold the data that page ${number} says`);
    return pages;
  }

  private overflowData(start: number, bytes: number): Buffer {
    return this.read(start * this.meta.pageBytes + PAGE_HEADER, bytes);
  }

  /** A count, then page numbers; a negative one before a number says how many pages there are from there on. */
  private checkFreeList(list: Buffer): void {
    const count = list.length < 8 ? 0 : u64(list, 0);
    if (list.length % 8 !== 0 || (count + 1) * 8 > list.length)
      throw new Error('a list of free pages has a wrong length');
    for (let k = 1; k <= count; k++) {
      let pages = 1;
      const entry = list.readBigInt64LE(k * 8);
      if (entry === 0n) continue;
      if (entry < 0n) {
        pages = Number(-entry);
        if (++k > count) throw new Error('a list of free pages ends in the middle of a block');
      }
      const start = u64(list, k * 8);
      if (start < 2 || start + pages - 1 > this.meta.lastPage)
        throw new Error(`page ${start} cannot be free`);
      for (let page = start; page < start + pages; page++) {
        if (this.reached[page] === 1) throw new Error(`page ${page} is in use and in the list of free pages`);
      }
    }
  }
}

/** A page of the next level, and what its keys are not below. */
interface Child {
  readonly number: number;
  readonly low: Buffer | undefined;
}

/** The order of the keys along one level of a tree. */
class TreeWalk {
  private previous: Buffer | undefined;
  private depth = 0;

  constructor(private readonly isText: boolean) {}

  /** The first key of a leaf against what the level above says: lookups would miss it. */
  checkBound(page: number, depth: number, low: Buffer | undefined, first: Buffer): void {
    if (low === undefined) return;
    const before = depth === this.depth ? this.previous : undefined;
    if (this.compare(low, first) > 0 || (before !== undefined && this.compare(before, low) >= 0))
      throw new Error(`page ${page} does not have the keys that lead to it`);
  }

  checkOrder(page: number, depth: number, key: Buffer, isLeaf: boolean): void {
    if (depth !== this.depth) this.previous = undefined;
    this.depth = depth;
    if (!this.isText && key.length !== 8) throw new Error(`page ${page} has a key of ${key.length} bytes`);
    const order = this.previous === undefined ? -1 : this.compare(this.previous, key);
    if (order > 0 || (isLeaf && order === 0)) throw new Error(`page ${page} has its keys out of order`);
    this.previous = key;
  }

  /** The page that keys were in may be overwritten. */
  leavePage(): void {
    if (this.previous !== undefined) this.previous = Buffer.from(this.previous);
  }

  private compare(a: Buffer, b: Buffer): number {
    return this.isText ? Buffer.compare(a, b) : u64(a, 0) - u64(b, 0);
  }
}

function dataSize(page: Buffer, at: number): number {
  return page.readUInt16LE(at) + page.readUInt16LE(at + 2) * 2 ** 16;
}

/** The page a node of a branch leads to. */
function pageNumber(page: Buffer, at: number): number {
  return dataSize(page, at) + page.readUInt16LE(at + 4) * 2 ** 32;
}

function nodeSize(page: Buffer, at: number, kind: number): number {
  const bytes = NODE_HEADER + page.readUInt16LE(at + 6);
  if (kind === BRANCH) return bytes;
  return bytes + ((page.readUInt16LE(at + 4) & BIG_DATA) !== 0 ? 24 : dataSize(page, at));
}
