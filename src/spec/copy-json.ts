import { MaestroError } from '../base/errors.js';
import { MAX_DEPTH } from './hash.js';

type Fields = Record<string, unknown>;

/**
 * What remains of a value when it is written as JSON and read again, without the text: that of a million nodes takes seconds, and
 * several times the room of what it says. Strings are shared with the value.
 * @param isFixed the copy will not be changed: what stood under the same key just before is copied once, as the config of nodes
 * that were made by one template
 * @throws SPEC_INVALID when it cannot be written
 */
export function copyJson(value: unknown, isFixed = false): unknown {
  try {
    return new Copier(isFixed).copy(value, '', 0);
  } catch (cause) {
    throw new MaestroError('SPEC_INVALID', 'the workflow is not plain JSON data', { cause });
  }
}

class Copier {
  /** By key: the object that was copied last, and its copy. */
  private readonly last = new Map<string, { readonly value: object; readonly copy: unknown }>();

  constructor(private readonly isFixed: boolean) {}

  /** @returns undefined for what JSON leaves out */
  copy(value: unknown, key: string, depth: number): unknown {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value;
      case 'number':
        // JSON has no -0.
        return Number.isFinite(value) ? value + 0 : null;
      case 'object':
        return value === null ? null : this.copyObject(value, key, depth);
      default:
        return throughText(value, key);
    }
  }

  private copyObject(value: object, key: string, depth: number): unknown {
    // What has a say in how it is written says so, and what has no end is refused.
    if (depth > MAX_DEPTH || !isPlain(value) || 'toJSON' in value) return throughText(value, key);
    if (Array.isArray(value)) return this.copyList(value, depth);
    return this.copyFields(value as Fields, depth);
  }

  private copyList(list: readonly unknown[], depth: number): unknown[] {
    const copy = new Array<unknown>(list.length);
    for (let at = 0; at < list.length; at++) copy[at] = this.copy(list[at], String(at), depth + 1) ?? null;
    return copy;
  }

  /** Spreading keeps a key `__proto__` what it is in JSON, a key, and makes objects of one form. */
  private copyFields(fields: Fields, depth: number): Fields {
    const copy = { ...fields };
    let isWhole = true;
    for (const key of Object.keys(copy)) {
      const field = copy[key];
      if (typeof field === 'string') continue;
      const copied = this.copyField(field, key, depth + 1);
      if (copied === undefined) isWhole = false;
      if (!Object.is(copied, field)) copy[key] = copied;
    }
    const isPure = isWhole && Object.getOwnPropertySymbols(copy).length === 0;
    return isPure
      ? copy
      : Object.fromEntries(Object.entries(copy).filter(([, field]) => field !== undefined));
  }

  private copyField(value: unknown, key: string, depth: number): unknown {
    if (typeof value !== 'object' || value === null) return this.copy(value, key, depth);
    if (!this.isFixed) return this.copyObject(value, key, depth);
    const last = this.last.get(key);
    if (last?.value === value) return last.copy;
    const copy = this.copyObject(value, key, depth);
    this.last.set(key, { value, copy });
    return copy;
  }
}

function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Exactly what JSON makes of it under this key. @throws TypeError for what has no JSON, RangeError for what is too deep */
function throughText(value: unknown, key: string): unknown {
  const text = JSON.stringify({ [key]: value });
  const read = JSON.parse(text) as Fields;
  return Object.hasOwn(read, key) ? read[key] : undefined;
}
