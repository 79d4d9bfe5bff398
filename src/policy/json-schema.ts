import { createRequire } from 'node:module';
import type * as AjvModule from 'ajv';
import type { ErrorObject } from 'ajv';
import { MaestroError, type Problem } from '../base/errors.js';

/** Says what is wrong with a value: one problem for each place, none when it fits. */
export type ValueCheck = (value: unknown) => Problem[];

/** Problems told at most. */
const MAX_PROBLEMS = 100;

/**
 * Compiles a JSON Schema (draft-07). Unknown keywords are refused, so that a misspelt one is not ignored; formats are
 * not checked. ajv is loaded when first needed.
 * @throws SPEC_INVALID when it is no valid schema, or refers to one that is not in it
 */
export function compileJsonSchema(schema: object): ValueCheck {
  const { Ajv } = createRequire(import.meta.url)('ajv') as typeof AjvModule;
  // An instance of its own: two schemas of one workflow may have the same $id.
  const ajv = new Ajv({ allErrors: true, strictTypes: false, strictRequired: false, validateFormats: false });
  try {
    const validate = ajv.compile(schema);
    return (value) => {
      if (validate(value)) return [];
      return (validate.errors ?? []).slice(0, MAX_PROBLEMS).map(problemOf);
    };
  } catch (cause) {
    throw new MaestroError('SPEC_INVALID', `is no valid JSON Schema: ${(cause as Error).message}`, { cause });
  }
}

function problemOf({ instancePath, message, keyword, params }: ErrorObject): Problem {
  const where = instancePath === '' ? 'the value' : instancePath.slice(1).replaceAll('/', '.');
  const extra = keyword === 'additionalProperties' ? `: ${String(params.additionalProperty)}` : '';
  const allowed = keyword === 'enum' ? `: ${(params.allowedValues as unknown[]).join(', ')}` : '';
  const text = `${where} ${message ?? 'is not allowed'}${extra}${allowed}`;
  return { code: 'SCHEMA', severity: 'error', message: text };
}
