import { createHash } from 'node:crypto';
import { MaestroError } from '../base/errors.js';
import type { WorkflowSpec } from './types.js';

/** Levels of objects and arrays a spec may have: far above use, far below what overflows the stack. */
export const MAX_DEPTH = 200;

/**
 * JSON text with the keys of every object in one fixed order and no white space: equal values, equal text. What
 * JSON cannot hold is treated as JSON.stringify treats it.
 * @throws SPEC_INVALID when nested deeper than MAX_DEPTH
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sortKeys(value, 0)) ?? 'null';
}

/** SHA-256, in hex, over the canonical JSON of a spec. */
export function definitionHash(spec: WorkflowSpec): string {
  return createHash('sha256').update(canonicalJson(spec)).digest('hex');
}

/** A copy with sorted keys. Building it for the native JSON.stringify is far cheaper than writing the text here. */
function sortKeys(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth === MAX_DEPTH) {
    throw new MaestroError('SPEC_INVALID', `the workflow is nested deeper than ${MAX_DEPTH} levels`);
  }
  if (Array.isArray(value)) return value.map((item) => sortKeys(item, depth + 1));
  const fields = value as Record<string, unknown>;
  const keys = Object.keys(fields).sort();
  // Unlike assignment, fromEntries gives a key named __proto__ no meaning.
  return Object.fromEntries(keys.map((key) => [key, sortKeys(fields[key], depth + 1)]));
}
