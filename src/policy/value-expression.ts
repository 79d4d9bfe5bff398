import { MaestroError } from '../base/errors.js';
import { analyse } from './condition-analysis.js';
import { valuesRead } from './condition-blame.js';
import { budget, conditionLanguage } from './condition-language.js';
import { rewriteLoops } from './condition-loops.js';
import { toCelLazily } from './condition-values.js';

/** What an expression can read: plain JSON values. */
export interface ValueInput {
  /** Outputs by node id: at least those in `references`, as far as they exist. */
  readonly outputs: ReadonlyMap<string, unknown>;
  readonly globalContext: Readonly<Record<string, unknown>>;
  readonly node: Readonly<Record<string, unknown>>;
}

/** A CEL expression for a JSON value, checked as far as it can be without data. */
export interface CompiledValue {
  /** Ids of the nodes whose outputs it reads; 'all' when that depends on data. */
  readonly references: readonly string[] | 'all';
  /** @throws EXPRESSION_FAILED, with the expression and the values it read */
  readonly evaluate: (input: ValueInput) => unknown;
}

/** Longest source, in UTF-16 units. */
const MAX_LENGTH = 4096;

/**
 * Compiles a CEL expression over `outputs`, `global_context` and `node`.
 * @throws SPEC_INVALID, naming the expression, for syntax errors and for names and functions that do not exist
 */
export function compileValue(source: string): CompiledValue {
  const invalid = (reason: string, cause?: unknown): MaestroError =>
    new MaestroError('SPEC_INVALID', `expression ${JSON.stringify(source)} ${reason}`, { cause });
  if (source.length > MAX_LENGTH) throw invalid(`is longer than ${MAX_LENGTH} characters`);
  const { cel, env } = conditionLanguage();
  try {
    const { expr } = cel.parse(source);
    const { references, unknown } = analyse(expr, (name) => env.funcs.find(name) !== undefined);
    if (unknown.length > 0) throw invalid(`has an unknown ${unknown[0].what}`);
    rewriteLoops(expr);
    const run = cel.plan(env, expr);
    return { references, evaluate: (input) => evaluate(source, run, input) };
  } catch (error) {
    if (error instanceof MaestroError) throw error;
    const why = error instanceof Error ? error.message.replace(/^<input>:\d+:\d+: /, '') : String(error);
    throw invalid(`is no valid CEL: ${why}`, error);
  }
}

function evaluate(
  source: string,
  run: (bindings: Record<string, ReturnType<typeof toCelLazily>>) => unknown,
  { outputs, globalContext, node }: ValueInput,
): unknown {
  const roots = { outputs, global_context: globalContext, node };
  const failed = (reason: string, cause?: unknown): MaestroError => {
    const values = valuesRead(source, roots);
    const read = Object.entries(values).map(([place, value]) => `${place} is ${value}`);
    const given = read.length === 0 ? '' : ` (${read.join(', ')})`;
    const message = `expression ${JSON.stringify(source)} ${reason}${given}`;
    return new MaestroError('EXPRESSION_FAILED', message, { cause, details: { expression: source, values } });
  };
  budget.reset();
  const result = run({
    outputs: toCelLazily(outputs, budget),
    global_context: toCelLazily(globalContext, budget),
    node: toCelLazily(node, budget),
  });
  const spent = (): MaestroError => failed('takes too much work: it reads or loops over too much data');
  if (budget.exhausted) throw spent();
  if (conditionLanguage().cel.isCelError(result))
    throw failed(`cannot be evaluated: ${result.message}`, result);
  try {
    return toJson(result, failed);
  } catch (error) {
    throw budget.exhausted ? spent() : error;
  }
}

/** A CEL value as JSON has it. Integers are numbers again. */
function toJson(value: unknown, failed: (reason: string) => MaestroError): unknown {
  const { isCelList, isCelMap, isCelUint } = conditionLanguage().cel;
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value === 'bigint') return Number(value);
  if (isCelUint(value)) return Number(value.value);
  if (isCelList(value)) return [...value].map((each) => toJson(each, failed));
  if (isCelMap(value))
    return Object.fromEntries(
      [...value].map(
        ([key, each]) => [String(key as string | number | bigint | boolean), toJson(each, failed)] as const,
      ),
    );
  throw failed(`gave ${typeof value === 'number' ? String(value) : 'a value'}, which JSON does not have`);
}
