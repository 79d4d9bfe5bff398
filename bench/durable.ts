import { closeSync, constants, openSync, write, writeFileSync } from 'node:fs';
import { open, type RootDatabase } from 'lmdb';

/** An LMDB store whose commits settle when they are on disk. */
export function openDatabase(folder: string): RootDatabase<Buffer, string> {
  return open<Buffer, string>(folder, { compression: false, overlappingSync: false, encoding: 'binary' });
}

/** A file of one size whose writes settle when they are on disk, while the event loop is free. */
export class WriteThroughFile {
  readonly #file: number;

  constructor(path: string, bytes: number) {
    writeFileSync(path, Buffer.alloc(bytes), { flush: true });
    this.#file = openSync(path, constants.O_RDWR | constants.O_DSYNC);
  }

  write(bytes: Uint8Array, at: number): Promise<void> {
    return new Promise((resolve, reject) => {
      write(this.#file, bytes, 0, bytes.length, at, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  close(): void {
    closeSync(this.#file);
  }
}
