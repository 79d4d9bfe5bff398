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
  return textOf(value, 0) ?? 'null';
}

/** SHA-256, in hex, over the canonical JSON of a spec. @throws SPEC_INVALID when nested deeper than MAX_DEPTH */
export function definitionHash(spec: WorkflowSpec): string {
  const hash = createHash('sha256');
  for (const part of canonicalParts(spec)) hash.update(part);
  return hash.digest('hex');
}

/** So many elements of a list are one text. */
const PART = 1000;

/** The canonical JSON of an object in parts: that of a million nodes takes several times their room. */
function* canonicalParts(fields: object): Generator<string> {
  let before = '{';
  for (const [key, value] of Object.entries(inOrder(fields))) {
    const text = Array.isArray(value) ? '' : textOf(value, 1);
    if (text === undefined) continue;
    yield `${before}${JSON.stringify(key)}:${text}`;
    if (Array.isArray(value)) yield* listParts(value);
    before = ',';
  }
  yield before === '{' ? '{}' : '}';
}

function* listParts(list: readonly unknown[]): Generator<string> {
  yield '[';
  for (let at = 0; at < list.length; at += PART) {
    const part = textOf(list.slice(at, at + PART), 1)!.slice(1, -1);
    yield at === 0 ? part : `,${part}`;
  }
  yield ']';
}

/** @returns undefined for what JSON cannot hold */
function textOf(value: unknown, depth: number): string | undefined {
  return JSON.stringify(sortKeys(value, depth));
}

/** A copy with sorted keys. Building it for the native JSON.stringify is far cheaper than writing the text here. */
function sortKeys(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth === MAX_DEPTH) {
    throw new MaestroError('SPEC_INVALID', `the workflow is nested deeper than ${MAX_DEPTH} levels`);
  }
  if (Array.isArray(value)) return value.map((item) => sortKeys(item, depth + 1));
  return inOrder(value, (field) => sortKeys(field, depth + 1));
}

function inOrder(fields: object, copy = (field: unknown): unknown => field): object {
  const keys = Object.keys(fields).sort();
  // Unlike assignment, fromEntries gives a key named __proto__ no meaning.
  return Object.fromEntries(keys.map((key) => [key, copy((fields as Record<string, unknown>)[key])]));
}
