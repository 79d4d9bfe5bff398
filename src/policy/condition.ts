import { ROOTS } from './condition-analysis.js';
import { compileExpression, type Evaluate, previewValue } from './expression.js';

/** What a condition can read: plain JSON values. */
export interface ConditionInput {
  /** Outputs by node id: at least those in `references`, as far as they exist. */
  readonly outputs: ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>;
  readonly globalContext: Readonly<Record<string, unknown>>;
  /** The node that the condition belongs to, e.g. its id, name and config. */
  readonly node: Readonly<Record<string, unknown>>;
  /** Of an item of a map. */
  readonly item?: { readonly value: unknown; readonly index: number };
}

/** A condition, checked as far as it can be without data. */
export interface CompiledCondition {
  readonly source: string;
  /** Ids of the nodes whose outputs it reads; 'all' when that depends on data. */
  readonly references: readonly string[] | 'all';
  /** Throws CONDITION_FAILED, with the expression and the reason, unless the result is exactly true or false. */
  evaluate(input: ConditionInput): boolean;
}

/** Names that only conditions of items have. */
const ITEM_ROOTS: ReadonlySet<string> = new Set([...ROOTS, 'item', 'index']);

/**
 * Compiles a CEL expression over `outputs`, `global_context` and `node`, with `hasItem` also `item` and `index`. Throws
 * SPEC_INVALID, naming the expression and the place in it, for syntax errors and for names and functions that do not
 * exist.
 *
 * As the library has it, a key whose value is null does not exist for `has()` and `in`; `== null` works.
 */
export function compileCondition(source: string, { hasItem = false } = {}): CompiledCondition {
  const { references, run } = compileExpression('condition', source, hasItem ? ITEM_ROOTS : ROOTS);
  return { source, references, evaluate: (input) => evaluate(run, input) };
}

function evaluate(run: Evaluate, { outputs, globalContext, node, item }: ConditionInput): boolean {
  const ofItem = item === undefined ? {} : { item: item.value, index: item.index };
  return run({ outputs, global_context: globalContext, node, ...ofItem }, (result, failed) => {
    if (typeof result !== 'boolean') throw failed(`gave ${previewValue(result)}, not true or false`);
    return result;
  });
}
