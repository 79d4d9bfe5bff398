import { MaestroError } from '../base/errors.js';
import { analyse } from './condition-analysis.js';
import { valuesRead, type ReadValues } from './condition-blame.js';
import { budget, conditionLanguage } from './condition-language.js';
import { rewriteLoops } from './condition-loops.js';
import { toCelLazily } from './condition-values.js';

/** What a condition can read: plain JSON values. */
export interface ConditionInput {
  /** Outputs by node id: at least those in `references`, as far as they exist. */
  readonly outputs: ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>;
  readonly globalContext: Readonly<Record<string, unknown>>;
  /** The node that the condition belongs to, e.g. its id, name and config. */
  readonly node: Readonly<Record<string, unknown>>;
}

/** A condition, checked as far as it can be without data. */
export interface CompiledCondition {
  readonly source: string;
  /** Ids of the nodes whose outputs it reads; 'all' when that depends on data. */
  readonly references: readonly string[] | 'all';
  /** Throws CONDITION_FAILED, with the expression and the reason, unless the result is exactly true or false. */
  evaluate(input: ConditionInput): boolean;
}

/** Longest source, in UTF-16 units. */
export const MAX_CONDITION_LENGTH = 4096;
const MAX_PREVIEW_LENGTH = 200;

type Evaluate = (bindings: Record<string, ReturnType<typeof toCelLazily>>) => unknown;

/**
 * Compiles a CEL expression over `outputs`, `global_context` and `node`. Throws SPEC_INVALID, naming the
 * expression and the place in it, for syntax errors and for names and functions that do not exist.
 *
 * As the library has it, a key whose value is null does not exist for `has()` and `in`; `== null` works.
 */
export function compileCondition(source: string): CompiledCondition {
  if (source.length > MAX_CONDITION_LENGTH)
    throw invalid(source, `is longer than ${MAX_CONDITION_LENGTH} characters`, 0);
  const { references, run } = build(source);
  return { source, references, evaluate: (input) => evaluate(source, run, input) };
}

function build(source: string): { references: CompiledCondition['references']; run: Evaluate } {
  try {
    const { cel, env } = conditionLanguage();
    const { expr, sourceInfo } = cel.parse(source);
    const { references, unknown } = analyse(expr, (name) => env.funcs.find(name) !== undefined);
    if (unknown.length > 0) {
      const [{ what, exprId }] = unknown;
      throw invalid(source, `has an unknown ${what}`, sourceInfo?.positions[String(exprId)] ?? 0);
    }
    rewriteLoops(expr);
    return { references, run: cel.plan(env, expr) };
  } catch (error) {
    if (error instanceof MaestroError) throw error;
    if (error instanceof RangeError) throw invalid(source, 'is nested too deeply', 0, error);
    throw invalid(source, `is no valid CEL: ${messageOf(error)}`, offsetOf(error), error);
  }
}

function evaluate(source: string, run: Evaluate, input: ConditionInput): boolean {
  budget.reset();
  const { outputs, globalContext, node } = input;
  const result = run({
    outputs: toCelLazily(outputs, budget),
    global_context: toCelLazily(globalContext, budget),
    node: toCelLazily(node, budget),
  });
  const failed = (reason: string, cause?: unknown): MaestroError =>
    failure(source, reason, valuesRead(source, { outputs, global_context: globalContext, node }), cause);
  if (budget.exhausted) throw failed('takes too much work: it reads or loops over too much data');
  if (conditionLanguage().cel.isCelError(result))
    throw failed(`cannot be evaluated: ${result.message}`, result);
  if (typeof result !== 'boolean') throw failed(`gave ${preview(result)}, not true or false`);
  return result;
}

function failure(source: string, reason: string, values: ReadValues, cause: unknown): MaestroError {
  const read = Object.entries(values).map(([place, value]) => `${place} is ${value}`);
  const given = read.length === 0 ? '' : ` (${read.join(', ')})`;
  return new MaestroError(
    'CONDITION_FAILED',
    `condition ${shorten(JSON.stringify(source))} ${reason}${given}`,
    {
      cause,
      details: { expression: source, values },
    },
  );
}

function invalid(source: string, reason: string, offset: number, cause?: unknown): MaestroError {
  const before = source.slice(0, offset).split('\n');
  const [line, column] = [before.length, before[before.length - 1].length + 1];
  const text = `condition ${shorten(JSON.stringify(source))} ${reason} (line ${line}, column ${column} of it)`;
  return new MaestroError('SPEC_INVALID', text, { cause, details: { expression: source, line, column } });
}

/** What the parser adds to its errors. */
function offsetOf(error: unknown): number {
  const { location } = error as { location?: { start?: { offset?: unknown } } };
  return typeof location?.start?.offset === 'number' ? location.start.offset : 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/^<input>:\d+:\d+: /, '') : String(error);
}

/** A value of any CEL type as short text for people. */
function preview(value: unknown): string {
  const { isCelList, isCelMap } = conditionLanguage().cel;
  if (isCelMap(value)) return 'a map';
  if (isCelList(value)) return `a list of ${value.size}`;
  if (typeof value === 'string') return `the text ${shorten(JSON.stringify(value))}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function shorten(text: string): string {
  return text.length <= MAX_PREVIEW_LENGTH ? text : `${text.slice(0, MAX_PREVIEW_LENGTH)}…`;
}
