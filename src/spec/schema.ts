import { createRequire } from 'node:module';
import type * as AjvModule from 'ajv';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { type Findings, formatPath, type Path } from './findings.js';
import { didYouMean } from './suggest.js';
import type { WorkflowSpec } from './types.js';
import schema from './workflow.schema.json' with { type: 'json' };

/** The published JSON Schema (draft-07) of workflow files. */
export const workflowSchema: Readonly<Record<string, unknown>> = schema;

let compiled: ValidateFunction<WorkflowSpec> | undefined;

/** ajv is loaded and the schema compiled when first needed: commands that read no spec start 50 ms sooner. */
function compileSchema(): ValidateFunction<WorkflowSpec> {
  const { Ajv } = createRequire(import.meta.url)('ajv') as typeof AjvModule;
  return new Ajv({ allErrors: true, verbose: true }).compile<WorkflowSpec>(schema);
}

/** Checks a document against the schema and notes every violation in people's words. */
export function checkSchema(value: unknown, findings: Findings): void {
  compiled ??= compileSchema();
  if (compiled(value)) return;
  for (const error of compiled.errors ?? []) {
    const path = parsePointer(value, error.instancePath);
    const [where, message] = describe(error, path);
    findings.error('SCHEMA', where, message, nodeIdAt(value, path));
  }
}

/** The path of the problem and a sentence on it. */
function describe(error: ErrorObject, path: Path): [Path, string] {
  const params = error.params as Record<string, unknown>;
  const name = formatPath(path);
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params.additionalProperty);
      const known = Object.keys((error.parentSchema as { properties?: object }).properties ?? {});
      return [
        [...path, key],
        `${formatPath([...path, key])} is not a known property${didYouMean(key, known)}`,
      ];
    }
    case 'required':
      return [path, `${formatPath([...path, String(params.missingProperty)])} is missing`];
    case 'enum': {
      const allowed = (params.allowedValues as unknown[]).map(String);
      const guess = typeof error.data === 'string' ? didYouMean(error.data, allowed) : '';
      return [path, `${name} must be one of ${allowed.join(', ')}, not ${show(error.data)}${guess}`];
    }
    case 'type':
      return [path, `${name} must be ${article(String(params.type))}, not ${show(error.data)}`];
    case 'minItems':
      return [path, `${name} is empty: a workflow needs at least one node`];
    case 'minLength':
      return [path, `${name} must not be empty`];
    case 'maxLength':
      return [path, `${name} must have at most ${String(params.limit)} characters`];
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
      return [
        path,
        `${name} must be ${String(params.comparison)} ${String(params.limit)}, not ${show(error.data)}`,
      ];
    case 'not':
      return [path, `${name} must not be ${show(error.data)}: this name is reserved`];
    case 'pattern':
      return [
        path,
        `${name} is ${show(error.data)}, which has characters that are not allowed here${rule(error)}`,
      ];
    default:
      return [path, `${name} ${error.message ?? 'is not allowed'}`];
  }
}

function rule(error: ErrorObject): string {
  const description = (error.parentSchema as { description?: string }).description;
  return description === undefined ? '' : `: ${description}`;
}

function article(type: string): string {
  return /^[aeio]/.test(type) ? `an ${type}` : `a ${type}`;
}

const SHOWN = 60;

/** A value as JSON, shortened. Objects and arrays are only named: their text would say nothing. */
function show(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

/** Array positions become numbers: a JSON pointer alone does not tell them from keys. */
function parsePointer(root: unknown, pointer: string): Path {
  const path: (string | number)[] = [];
  let at = root;
  for (const raw of pointer.split('/').slice(1)) {
    const part = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(at) ? Number(part) : part);
    at = (at as Record<string, unknown>)[part];
  }
  return path;
}

function nodeIdAt(root: unknown, path: Path): string | undefined {
  if (path[0] !== 'nodes' || typeof path[1] !== 'number') return undefined;
  const node = (root as { nodes: unknown[] }).nodes[path[1]];
  const id = typeof node === 'object' && node !== null ? (node as { id?: unknown }).id : undefined;
  return typeof id === 'string' ? id : undefined;
}
