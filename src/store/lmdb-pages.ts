/*
 * The layout of LMDB's data file (format 2 as the lmdb package writes it: little endian, 64 bits), as far as one must
 * know it to follow every pointer in it. Numbers are read as doubles: no file has 2^53 pages.
 *
 *   page      number u64 · txn u64 · pad u16 · flags u16 · lower u16 · upper u16 (overflow: pages u32) · …
 *   node      low u16 · high u16 · flags u16 · key size u16 · key · data
 *   tree      pad u32 · flags u16 · depth u16 · branch, leaf, overflow pages, entries, root u64 each
 *   meta      page header · magic u32 · version u32 · address, map size u64 · free tree · main tree · last page, txn u64
 */
export const PAGE_HEADER = 24;
export const NODE_HEADER = 8;
export const BRANCH = 0x01;
export const LEAF = 0x02;
export const OVERFLOW = 0x04;
const META = 0x08;
/** Of a node: its data is elsewhere. */
export const BIG_DATA = 0x01;
export const NO_PAGE = 2 ** 64;

const MAGIC = 0xbeefc0de;
const VERSION = 2;
const TREE_BYTES = 48;
const AT_TREES = PAGE_HEADER + 24;
export const META_BYTES = AT_TREES + 2 * TREE_BYTES + 16;

export interface TreeHead {
  readonly flags: number;
  readonly depth: number;
  readonly branchPages: number;
  readonly leafPages: number;
  readonly overflowPages: number;
  readonly entries: number;
  readonly root: number;
}

/** The head of one state of the file; the newer one of two counts. */
export interface Meta {
  readonly pageBytes: number;
  readonly free: TreeHead;
  readonly main: TreeHead;
  readonly lastPage: number;
  readonly txn: number;
}

export interface PageHead {
  readonly number: number;
  readonly txn: number;
  readonly flags: number;
  /** Bytes of pointers, counted from the end of the header. */
  readonly lower: number;
  /** Where nodes begin, counted from the end of the header. */
  readonly upper: number;
  /** Of overflow pages. */
  readonly pages: number;
}

export function u64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}

/** undefined when it is no meta page of this format. */
export function readMeta(bytes: Buffer): Meta | undefined {
  if ((bytes.readUInt16LE(18) & META) === 0 || bytes.readUInt32LE(PAGE_HEADER) !== MAGIC) return undefined;
  if ((bytes.readUInt32LE(PAGE_HEADER + 4) & 0xffff) !== VERSION) return undefined;
  const at = AT_TREES + 2 * TREE_BYTES;
  return {
    pageBytes: bytes.readUInt32LE(AT_TREES),
    free: readTree(bytes, AT_TREES),
    main: readTree(bytes, AT_TREES + TREE_BYTES),
    lastPage: u64(bytes, at),
    txn: u64(bytes, at + 8),
  };
}

function readTree(bytes: Buffer, at: number): TreeHead {
  const [branchPages, leafPages, overflowPages, entries, root] = [0, 1, 2, 3, 4].map((k) =>
    u64(bytes, at + 8 + 8 * k),
  );
  return {
    flags: bytes.readUInt16LE(at + 4),
    depth: bytes.readUInt16LE(at + 6),
    branchPages,
    leafPages,
    overflowPages,
    entries,
    root,
  };
}

export function readPageHead(page: Buffer): PageHead {
  return {
    number: u64(page, 0),
    txn: u64(page, 8),
    flags: page.readUInt16LE(18),
    lower: page.readUInt16LE(20),
    upper: page.readUInt16LE(22),
    pages: page.readUInt32LE(20),
  };
}
