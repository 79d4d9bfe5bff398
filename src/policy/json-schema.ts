import { createRequire } from 'node:module';
import type * as AjvModule from 'ajv';
import type { ErrorObject } from 'ajv';
import { MaestroError, type Problem } from '../base/errors.js';

/** Says what is wrong with a value: one problem for each place, none when it fits. */
export type ValueCheck = (value: unknown) => Problem[];

/** One place of a value that does not fit. */
export interface Violation {
  /** JSON pointer; empty: the value as a whole. */
  readonly path: string;
  readonly message: string;
  /** What is there. */
  readonly value: unknown;
}

/** Problems told at most. */
const MAX_PROBLEMS = 100;

/**
 * A check by a JSON Schema (draft-07). Strict about keywords, so that a misspelt one is not ignored; formats are
 * not checked. ajv is loaded when first needed.
 * @throws SPEC_INVALID when it is no valid schema, or refers to one that is not in it
 */
export function compileJsonSchema(schema: object): ValueCheck {
  const check = compileViolations(schema);
  return (value) =>
    check(value).map(({ message }) => ({ code: 'SCHEMA', severity: 'error', message }) as const);
}

type Violations = (value: unknown) => Violation[];

/**
 * Compiled before, by the text of the schema, the one used last at the end: to compile takes milliseconds, and the same
 * schema is asked for when a workflow is checked, when it runs, and for each answer to a review.
 */
const known = new Map<string, Violations>();
const MAX_KNOWN = 100;

/** The same, with the place and the value found there. @throws SPEC_INVALID */
export function compileViolations(schema: object): Violations {
  const text = JSON.stringify(schema);
  // A copy: whoever changes theirs later has another schema.
  const check = known.get(text) ?? compile(JSON.parse(text) as object);
  known.delete(text);
  known.set(text, check);
  if (known.size > MAX_KNOWN) known.delete(known.keys().next().value!);
  return check;
}

function compile(schema: object): Violations {
  const { Ajv } = createRequire(import.meta.url)('ajv') as typeof AjvModule;
  // An instance of its own: two schemas of one workflow may have the same $id.
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    strictTypes: false,
    strictRequired: false,
    validateFormats: false,
  });
  try {
    const validate = ajv.compile(schema);
    return (value) => {
      if (validate(value)) return [];
      return (validate.errors ?? []).slice(0, MAX_PROBLEMS).map(violationOf);
    };
  } catch (cause) {
    throw new MaestroError('SPEC_INVALID', `is no valid JSON Schema: ${(cause as Error).message}`, { cause });
  }
}

function violationOf({ instancePath, message, keyword, params, data }: ErrorObject): Violation {
  const where = instancePath === '' ? 'the value' : instancePath.slice(1).replaceAll('/', '.');
  const extra = keyword === 'additionalProperties' ? `: ${String(params.additionalProperty)}` : '';
  const allowed = keyword === 'enum' ? `: ${(params.allowedValues as unknown[]).join(', ')}` : '';
  const text = `${where} ${message ?? 'is not allowed'}${extra}${allowed}`;
  return { path: instancePath, message: text, value: data };
}
