import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { MaestroError } from '../base/errors.js';
import { findDuplicateKeys } from './json-source.js';
import { MAX_SOURCE_BYTES, parseSource, syntaxError, tooLarge, type SourceFormat } from './source.js';
import { importWfFormat, isWfFormat, mapToTasks } from './wfformat.js';
import { assembleWorkflow, type LoadedWorkflow, type WorkflowOptions } from './workflow.js';

export interface LoadOptions {
  /** For imported recordings: a task lasts its recorded runtime × this. 0: no work. Default 1. */
  timeScale?: number;
  /** Inline functions by node id. */
  functions?: WorkflowOptions['functions'];
}

export interface ParseOptions extends LoadOptions, WorkflowOptions {
  format: SourceFormat;
  /** Name for messages. */
  file?: string;
}

/**
 * Reads a workflow file: .yaml, .yml or .json, each also gzipped (.gz). WfFormat is recognised by its content.
 * `uses` and `run` are relative to the file's folder.
 * @throws SPEC_NOT_FOUND, SPEC_UNREADABLE, SPEC_SYNTAX, SPEC_INVALID, CYCLE; the last three with `problems`
 */
export async function loadWorkflowFile(path: string, options: LoadOptions = {}): Promise<LoadedWorkflow> {
  const { text, format } = await readSourceFile(path);
  return parseWorkflow(text, { ...options, format, file: path, baseDir: dirname(resolve(path)) });
}

/** The text of a YAML or JSON file, also a gzipped one. @throws SPEC_NOT_FOUND, SPEC_UNREADABLE */
export async function readSourceFile(path: string): Promise<{ text: string; format: SourceFormat }> {
  const format = formatOf(path);
  return { text: decode(await readBytes(path, format), path), format };
}

/** Makes a workflow of a text. @throws SPEC_UNREADABLE, SPEC_SYNTAX, SPEC_INVALID, CYCLE */
export function parseWorkflow(text: string, options: ParseOptions): LoadedWorkflow {
  const { value, map } = parseSource(text, options.format, options.file);
  if (isWfFormat(value)) {
    const spec = importWfFormat(value, options.timeScale, map);
    return assembleWorkflow(spec, { ...options, source: mapToTasks(map), schema: false });
  }
  if (options.format === 'json') {
    const duplicates = findDuplicateKeys(text, options.file);
    if (duplicates.length > 0) throw syntaxError(options.file ?? 'the text', duplicates);
  }
  return assembleWorkflow(value, { ...options, source: map, schema: true });
}

function formatOf(path: string): SourceFormat {
  const extension = /\.(ya?ml|json)(\.gz)?$/i.exec(path)?.[1].toLowerCase();
  if (extension !== undefined) return extension === 'json' ? 'json' : 'yaml';
  throw new MaestroError('SPEC_UNREADABLE', `${path} is not a workflow file by its name`, {
    next: 'Name it .yaml, .yml or .json; each may be gzipped (.gz).',
  });
}

async function readBytes(path: string, format: SourceFormat): Promise<Buffer> {
  const bytes = await readRaw(path, format);
  if (!/\.gz$/i.test(path)) return bytes;
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: MAX_SOURCE_BYTES[format] });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(path, format);
    throw new MaestroError('SPEC_UNREADABLE', `${path} cannot be unpacked: it is not whole gzip data`, {
      cause,
    });
  }
}

async function readRaw(path: string, format: SourceFormat): Promise<Buffer> {
  try {
    const info = await stat(path);
    if (!info.isFile()) {
      throw new MaestroError(
        'SPEC_UNREADABLE',
        `${path} is ${info.isDirectory() ? 'a folder' : 'no regular file'}`,
        {
          next: 'Give the path of a workflow file.',
        },
      );
    }
    if (info.size > MAX_SOURCE_BYTES[format]) throw tooLarge(path, format);
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof MaestroError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new MaestroError('SPEC_NOT_FOUND', `there is no file ${path}`, { cause });
    }
    const why = code === 'EACCES' || code === 'EPERM' ? 'permission denied' : String(code ?? cause);
    throw new MaestroError('SPEC_UNREADABLE', `${path} cannot be read: ${why}`, { cause });
  }
}

/** A byte order mark is dropped. */
function decode(bytes: Buffer, path: string): string {
  try {
    if (!bytes.includes(0)) return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Told below, like a NUL byte.
  }
  throw new MaestroError('SPEC_UNREADABLE', `${path} is not UTF-8 text`, {
    next: 'Give a workflow in YAML or JSON, saved as UTF-8.',
  });
}
