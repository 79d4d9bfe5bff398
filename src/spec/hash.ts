import { createHash } from 'node:crypto';
import { MaestroError } from '../base/errors.js';
import type { WorkflowSpec } from './types.js';

/** Levels of objects and arrays a spec may have: far above use, far below what overflows the stack. */
export const MAX_DEPTH = 200;

/**
 * JSON text with the keys of every object sorted by code unit and no white space: equal values, equal text.
 * What JSON cannot hold is treated as JSON.stringify treats it.
 * @throws SPEC_INVALID when nested deeper than MAX_DEPTH
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0) ?? 'null';
}

/** SHA-256, in hex, over the canonical JSON of a spec. */
export function definitionHash(spec: WorkflowSpec): string {
  return createHash('sha256').update(canonicalJson(spec)).digest('hex');
}

function write(value: unknown, depth: number): string | undefined {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (depth === MAX_DEPTH) {
    throw new MaestroError('SPEC_INVALID', `the workflow is nested deeper than ${MAX_DEPTH} levels`);
  }
  if (Array.isArray(value)) return writeArray(value, depth);
  let text = '';
  for (const key of Object.keys(value).sort()) {
    const item = write((value as Record<string, unknown>)[key], depth + 1);
    if (item !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${item}`;
  }
  return `{${text}}`;
}

function writeArray(items: readonly unknown[], depth: number): string {
  // Lists of ids are most of a large spec, and there is nothing to sort in them.
  if (items.every((item) => typeof item === 'string')) return JSON.stringify(items);
  return `[${items.map((item) => write(item, depth + 1) ?? 'null').join(',')}]`;
}
