import { compileExpression, jsonOf } from './expression.js';

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

const ROOTS: ReadonlySet<string> = new Set(['outputs', 'global_context', 'node']);

/**
 * Compiles a CEL expression over `outputs`, `global_context` and `node`.
 * @throws SPEC_INVALID, naming the expression and the place in it, for syntax errors and for names and functions that
 *   do not exist
 */
export function compileValue(source: string): CompiledValue {
  const { references, run } = compileExpression('expression', source, ROOTS);
  const evaluate = ({ outputs, globalContext, node }: ValueInput): unknown =>
    run({ outputs, global_context: globalContext, node }, (result, failed) => jsonOf(result, failed));
  return { references, evaluate };
}
