import type { CelInput } from '@bufbuild/cel';
import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { MaestroError } from '../base/errors.js';
import { analyse } from './condition-analysis.js';
import { valuesRead, type ReadValues } from './condition-blame.js';
import { budget, conditionLanguage } from './condition-language.js';
import { rewriteLoops } from './condition-loops.js';
import { toCelLazily } from './condition-values.js';

/** Longest source, in UTF-16 units. */
export const MAX_EXPRESSION_LENGTH = 4096;
const MAX_PREVIEW_LENGTH = 200;

/** What an expression is for: it goes into messages, and says with what code its evaluation fails. */
const FAILURES = { condition: 'CONDITION_FAILED', expression: 'EXPRESSION_FAILED', map: 'MAP_LIST' } as const;
type Purpose = keyof typeof FAILURES;

/** JSON values, or maps by string, by name. */
type Roots = Readonly<Record<string, unknown>>;

/**
 * Evaluates, within a budget of work.
 * @param use takes the result, still within the budget, and may throw what `failed` makes of a reason
 */
export type Evaluate = <T>(
  roots: Roots,
  use: (result: unknown, failed: (reason: string) => MaestroError) => T,
  workLimit?: number,
) => T;

export interface CompiledExpression {
  /** Ids of the nodes whose outputs it reads; 'all' when that depends on data. */
  readonly references: readonly string[] | 'all';
  readonly expr: Expr;
  readonly run: Evaluate;
}

/**
 * Compiles a CEL expression that may read these names. Throws SPEC_INVALID, naming the expression and the place in it,
 * for syntax errors and for names and functions that do not exist.
 */
export function compileExpression(
  purpose: Purpose,
  source: string,
  names: ReadonlySet<string>,
): CompiledExpression {
  if (source.length > MAX_EXPRESSION_LENGTH)
    throw invalid(purpose, source, `is longer than ${MAX_EXPRESSION_LENGTH} characters`, 0);
  try {
    const { cel, env } = conditionLanguage();
    const { expr, sourceInfo } = cel.parse(source);
    const { references, unknown } = analyse(expr, (name) => env.funcs.find(name) !== undefined, names);
    if (unknown.length > 0) {
      const [{ what, exprId }] = unknown;
      throw invalid(purpose, source, `has an unknown ${what}`, sourceInfo?.positions[String(exprId)] ?? 0);
    }
    rewriteLoops(expr);
    const plan = cel.plan(env, expr);
    return {
      references,
      expr,
      run: (roots, use, workLimit) => evaluate(purpose, source, { plan, roots, use, workLimit }),
    };
  } catch (error) {
    if (error instanceof MaestroError) throw error;
    if (error instanceof RangeError) throw invalid(purpose, source, 'is nested too deeply', 0, error);
    throw invalid(purpose, source, `is no valid CEL: ${messageOf(error)}`, offsetOf(error), error);
  }
}

function evaluate<T>(
  purpose: Purpose,
  source: string,
  what: {
    plan: (bindings: Record<string, CelInput>) => unknown;
    roots: Roots;
    use: (result: unknown, failed: (reason: string) => MaestroError) => T;
    workLimit?: number;
  },
): T {
  const failed = (reason: string, cause?: unknown): MaestroError =>
    evaluationFailed(purpose, source, reason, { values: valuesRead(source, what.roots), cause });
  const spent = (): MaestroError => failed('takes too much work: it reads or loops over too much data');
  budget.reset(what.workLimit);
  const bindings = Object.entries(what.roots).map(
    ([name, root]) => [name, toCelLazily(root, budget)] as const,
  );
  const result = what.plan(Object.fromEntries(bindings));
  if (budget.exhausted) throw spent();
  if (conditionLanguage().cel.isCelError(result))
    throw failed(`cannot be evaluated: ${result.message}`, result);
  try {
    return what.use(result, failed);
  } catch (error) {
    throw budget.exhausted ? spent() : error;
  }
}

/** The error for an evaluation that gave nothing of use. `values`: what it read. */
export function evaluationFailed(
  purpose: Purpose,
  source: string,
  reason: string,
  { values, cause }: { values: ReadValues; cause?: unknown },
): MaestroError {
  const read = Object.entries(values).map(([place, value]) => `${place} is ${value}`);
  const given = read.length === 0 ? '' : ` (${read.join(', ')})`;
  const message = `${purpose} ${shorten(JSON.stringify(source))} ${reason}${given}`;
  return new MaestroError(FAILURES[purpose], message, { cause, details: { expression: source, values } });
}

function invalid(
  purpose: Purpose,
  source: string,
  reason: string,
  offset: number,
  cause?: unknown,
): MaestroError {
  const before = source.slice(0, offset).split('\n');
  const [line, column] = [before.length, before[before.length - 1].length + 1];
  const text = `${purpose} ${shorten(JSON.stringify(source))} ${reason} (line ${line}, column ${column} of it)`;
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
export function previewValue(value: unknown): string {
  const { isCelList, isCelMap } = conditionLanguage().cel;
  if (isCelMap(value)) return 'a map';
  if (isCelList(value)) return `a list of ${value.size}`;
  if (typeof value === 'string') return `the text ${shorten(JSON.stringify(value))}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/**
 * A CEL value as JSON has it; integers are numbers again, and keys are texts.
 * @param place what says where it is, in the error
 */
export function jsonOf(value: unknown, failed: (reason: string) => MaestroError, place = 'gave'): unknown {
  const { isCelList, isCelMap, isCelUint } = conditionLanguage().cel;
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value === 'bigint') return Number(value);
  if (isCelUint(value)) return Number(value.value);
  if (isCelList(value)) return [...value].map((each) => jsonOf(each, failed, place));
  if (isCelMap(value)) {
    const entries = [...value].map(([key, each]) => [
      typeof key === 'string' ? key : JSON.stringify(jsonOf(key, failed, place)),
      jsonOf(each, failed, place),
    ]);
    return Object.fromEntries(entries) as unknown;
  }
  throw failed(`${place} ${previewValue(value)}, which JSON does not have`);
}

function shorten(text: string): string {
  return text.length <= MAX_PREVIEW_LENGTH ? text : `${text.slice(0, MAX_PREVIEW_LENGTH)}…`;
}
