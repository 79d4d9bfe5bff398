import {
  createReadStream,
  createWriteStream,
  openSync,
  closeSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { MaestroError, toErrorDocument } from '../base/errors.js';
import { fsyncPathSync } from '../base/sync.js';
import type { SnapshotSource } from './import.js';

const GZIP_MAGIC = [0x1f, 0x8b];

/** Writes lines to a file that appears, complete and on disk, at the end. @throws SNAPSHOT_FILE */
export async function writeLines(path: string, lines: AsyncIterable<string>, gzip: boolean): Promise<void> {
  const draft = `${path}.${process.pid}.part`;
  const target = createWriteStream(draft, { flags: 'w' });
  try {
    const source = Readable.from(lines);
    if (gzip) await pipeline(source, createGzip(), target);
    else await pipeline(source, target);
    fsyncPathSync(draft);
    renameSync(draft, path);
    fsyncPathSync(dirname(path));
  } catch (error) {
    rmSync(draft, { force: true });
    if (error instanceof MaestroError) throw error;
    throw new MaestroError('SNAPSHOT_FILE', `cannot write ${path}: ${toErrorDocument(error).message}`, {
      cause: error,
    });
  }
}

/** The lines of a file, gzipped or not. @throws SNAPSHOT_FILE, SNAPSHOT_CORRUPT when reading */
export function fileLines(path: string): SnapshotSource {
  return async function* () {
    const zipped = isGzip(path);
    const input = createReadStream(path);
    const plain = zipped ? input.pipe(createGunzip()) : input;
    // pipe() carries no errors over.
    if (plain !== input) input.on('error', (error) => plain.destroy(error));
    try {
      // Only \n ends a line: a file in which another separator appeared must not read the same.
      yield* splitLines(plain);
    } catch (error) {
      if (error instanceof MaestroError) throw error;
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      const message = toErrorDocument(error).message;
      if (/^Z_/.test(code))
        throw new MaestroError('SNAPSHOT_CORRUPT', `${path} is damaged: ${message}`, { cause: error });
      throw new MaestroError('SNAPSHOT_FILE', `cannot read ${path}: ${message}`, { cause: error });
    } finally {
      input.destroy();
    }
  };
}

async function* splitLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let rest = '';
  for await (const chunk of bytes) {
    const pieces = decoded(decoder, chunk).split('\n');
    pieces[0] = rest + pieces[0];
    rest = pieces.pop()!;
    yield* pieces;
  }
  if (rest + decoded(decoder) !== '')
    throw new MaestroError('SNAPSHOT_CORRUPT', 'the export ends in mid-line');
}

function decoded(decoder: InstanceType<typeof TextDecoder>, chunk?: Uint8Array): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch (cause) {
    throw new MaestroError('SNAPSHOT_CORRUPT', 'the export is no UTF-8 text', { cause });
  }
}

/** @throws SNAPSHOT_FILE */
function isGzip(path: string): boolean {
  const head = new Uint8Array(2);
  try {
    const file = openSync(path, 'r');
    try {
      readSync(file, head);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new MaestroError('SNAPSHOT_FILE', `cannot read ${path}: ${toErrorDocument(error).message}`, {
      cause: error,
    });
  }
  return head[0] === GZIP_MAGIC[0] && head[1] === GZIP_MAGIC[1];
}
