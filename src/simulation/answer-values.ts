import type { Random } from '../base/random.js';
import { INLINE_OUTPUT_LIMIT_BYTES } from '../base/model.js';
import { compileJsonSchema, type ValueCheck } from '../policy/json-schema.js';
import { answerSchemaOf, type NodeSpec } from '../spec/index.js';
import type { SchemaValues, ValueShape } from './value-shape.js';

const TRIES = 20;

/** The schemas that an answer to this node must fit: a signal is checked against those of all nodes that wait for it. */
export function answerSchemas(nodes: readonly NodeSpec[], node: NodeSpec): readonly object[] {
  const signal = node.wait_for?.signal;
  const asked =
    signal === undefined ? [node] : [node, ...nodes.filter(({ wait_for }) => wait_for?.signal === signal)];
  const schemas = asked.map((each) => answerSchemaOf(each)).filter((schema) => schema !== undefined);
  return [...new Set(schemas)];
}

/** What the runtime would say against an answer. */
export function answerProblems(schemas: readonly object[], answer: unknown): string[] {
  const sizeBytes = Buffer.byteLength(JSON.stringify(answer ?? null));
  if (sizeBytes > INLINE_OUTPUT_LIMIT_BYTES)
    return [`it has more than ${INLINE_OUTPUT_LIMIT_BYTES} bytes of JSON`];
  return schemas.flatMap((schema) => checkOf(schema)(answer ?? null).map(({ message }) => message));
}

/**
 * An answer that fits the schemas, with what conditions look for in it where the schemas allow that.
 * @returns undefined when none was found
 */
export function fittingAnswer(
  schemas: readonly object[],
  shape: ValueShape | undefined,
  random: Random,
  schemaValues: SchemaValues,
): unknown {
  const fits = (answer: unknown): boolean =>
    answer !== undefined && answerProblems(schemas, answer).length === 0;
  for (let left = TRIES; left > 0; left--) {
    const plain = made(schemas[left % schemas.length], random, schemaValues);
    const wanted = shape === undefined ? plain : overlaid(plain, shape.sample(random, schemaValues));
    if (fits(wanted)) return wanted;
    if (fits(plain)) return plain;
  }
  return undefined;
}

/** Some schemas are beyond the generator: then there is no value. */
function made(schema: object, random: Random, schemaValues: SchemaValues): unknown {
  try {
    return schemaValues(schema, random);
  } catch {
    return undefined;
  }
}

/** Compiled once for each schema: that takes much longer than a check. */
const checks = new WeakMap<object, ValueCheck>();

function checkOf(schema: object): ValueCheck {
  const check = checks.get(schema) ?? compileJsonSchema(schema);
  checks.set(schema, check);
  return check;
}

function overlaid(plain: unknown, wanted: unknown): unknown {
  if (!isObject(plain) || !isObject(wanted)) return wanted;
  const merged: Record<string, unknown> = { ...plain };
  for (const [key, value] of Object.entries(wanted))
    merged[key] = key in plain ? overlaid(plain[key], value) : value;
  return merged;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
