import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BASE_VERSION } from './envelope.js';

/**
 * The label of a store folder: a small file beside the data. It says that the data was initialised (so a data file
 * that is missing or empty is a loss, not a beginning), and what the data file looked like when it was last closed
 * properly.
 */
export interface Label {
  /** undefined when the label cannot be read. */
  readonly format?: number;
  readonly closed?: FileStamp;
}

/** Tells one state of a file from others without reading it; changes with every write to it and every copy of it. */
export interface FileStamp {
  readonly sizeBytes: number;
  /** Decimal text: more digits than a number holds. */
  readonly modifiedNs: string;
  readonly inode: string;
}

export function dataFile(folder: string): string {
  return join(folder, 'data.mdb');
}

function labelFile(folder: string): string {
  return join(folder, 'store.json');
}

/** null when there is none. A damaged one counts as a label that says nothing. */
export function readLabel(folder: string): Label | null {
  try {
    const label: unknown = JSON.parse(readFileSync(labelFile(folder), 'utf8'));
    return typeof label === 'object' && label !== null ? label : {};
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : {};
  }
}

/** Replaces the label in one step; it is on disk when this returns. */
export function writeLabel(folder: string, closed?: FileStamp): void {
  const label: Label & { product: string } = { product: 'maestro-dag', format: BASE_VERSION, closed };
  const draft = `${labelFile(folder)}.${process.pid}`;
  const file = openSync(draft, 'w');
  try {
    writeSync(file, `${JSON.stringify(label)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, labelFile(folder));
}

/** The data file as it is now; null when there is none or nothing in it. */
export function stampOf(folder: string): FileStamp | null {
  const stat = statSync(dataFile(folder), { bigint: true, throwIfNoEntry: false });
  if (!stat || stat.size === 0n) return null;
  return { sizeBytes: Number(stat.size), modifiedNs: String(stat.mtimeNs), inode: String(stat.ino) };
}

export function sameStamp(a: FileStamp | undefined, b: FileStamp): boolean {
  return a?.sizeBytes === b.sizeBytes && a.modifiedNs === b.modifiedNs && a.inode === b.inode;
}
