import { readFileSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { MaestroError } from '../base/errors.js';
import { MAX_SOURCE_BYTES, tooLarge, type SourceFormat } from './source.js';

/** The text of a YAML or JSON file, also a gzipped one. @throws SPEC_NOT_FOUND, SPEC_UNREADABLE */
export async function readSourceFile(path: string): Promise<{ text: string; format: SourceFormat }> {
  return readSourceText(path, path);
}

/**
 * The same at once: what is made of it at once, too.
 * @param name of the file in messages
 */
export function readSourceText(path: string, name: string): { text: string; format: SourceFormat } {
  const format = formatOf(path);
  return { text: decode(readBytes(path, name, format), name), format };
}

function formatOf(path: string): SourceFormat {
  const extension = /\.(ya?ml|json)(\.gz)?$/i.exec(path)?.[1].toLowerCase();
  if (extension !== undefined) return extension === 'json' ? 'json' : 'yaml';
  throw new MaestroError('SPEC_UNREADABLE', `${path} is not a workflow file by its name`, {
    next: 'Name it .yaml, .yml or .json; each may be gzipped (.gz).',
  });
}

function readBytes(path: string, name: string, format: SourceFormat): Buffer {
  const bytes = readRaw(path, name, format);
  if (!/\.gz$/i.test(path)) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_SOURCE_BYTES[format] });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(name, format);
    throw new MaestroError('SPEC_UNREADABLE', `${name} cannot be unpacked: it is not whole gzip data`, {
      cause,
    });
  }
}

function readRaw(path: string, name: string, format: SourceFormat): Buffer {
  try {
    const info = statSync(path);
    if (!info.isFile()) {
      throw new MaestroError(
        'SPEC_UNREADABLE',
        `${name} is ${info.isDirectory() ? 'a folder' : 'no regular file'}`,
        {
          next: 'Give the path of a workflow file.',
        },
      );
    }
    if (info.size > MAX_SOURCE_BYTES[format]) throw tooLarge(name, format);
    return readFileSync(path);
  } catch (cause) {
    if (cause instanceof MaestroError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new MaestroError('SPEC_NOT_FOUND', `there is no file ${name}`, { cause });
    }
    const why = code === 'EACCES' || code === 'EPERM' ? 'permission denied' : String(code ?? cause);
    throw new MaestroError('SPEC_UNREADABLE', `${name} cannot be read: ${why}`, { cause });
  }
}

/** A byte order mark is dropped. */
function decode(bytes: Buffer, name: string): string {
  try {
    if (!bytes.includes(0)) return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Told below, like a NUL byte.
  }
  throw new MaestroError('SPEC_UNREADABLE', `${name} is not UTF-8 text`, {
    next: 'Give a workflow in YAML or JSON, saved as UTF-8.',
  });
}
