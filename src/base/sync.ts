import { closeSync, fsyncSync, openSync } from 'node:fs';

/** A file's bytes, or the names in a folder, are on disk when this returns. @throws what the file system throws */
export function syncPath(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
