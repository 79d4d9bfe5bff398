import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import type { MaestroError } from '../base/errors.js';
import { valuesRead } from './condition-blame.js';
import { conditionLanguage } from './condition-language.js';
import { asLiteral } from './condition-read-types.js';
import { compileExpression, evaluationFailed, jsonOf, previewValue } from './expression.js';

/** What the list of a map is made of: plain JSON values. */
export interface ListInput {
  /** Outputs by node id: at least those in `references`, as far as they exist. */
  readonly outputs: ReadonlyMap<string, unknown>;
  readonly globalContext: Readonly<Record<string, unknown>>;
}

/** The expression of a map, checked as far as it can be without data. */
export interface CompiledList {
  readonly source: string;
  /** Ids of the nodes whose outputs it reads; 'all' when that depends on data. */
  readonly references: readonly string[] | 'all';
  /** Throws MAP_LIST, with the expression and the offending value, unless the result is a list of JSON values. */
  evaluate(input: ListInput): readonly unknown[];
}

const ROOTS: ReadonlySet<string> = new Set(['outputs', 'global_context']);

/** It is evaluated once for all items, and may well loop over 100,000: ten times what a condition may do. */
const WORK_LIMIT = 10_000_000;

/**
 * Compiles the expression of a map: CEL over `outputs` and `global_context`, `${…}` around it or not.
 * @throws SPEC_INVALID, naming the expression and the place in it
 */
export function compileList(text: string): CompiledList {
  const source = (/^\s*\$\{([^]*)\}\s*$/.exec(text)?.[1] ?? text).trim();
  const { references, expr, run } = compileExpression('map', source, ROOTS);
  const path = pathOf(expr);
  return {
    source,
    references,
    evaluate: (input) => {
      if (path !== undefined) return listAt(source, path, input);
      return run(
        { outputs: input.outputs, global_context: input.globalContext },
        (result, failed) => {
          if (!conditionLanguage().cel.isCelList(result))
            throw failed(`gave ${previewValue(result)}, not a list`);
          return [...result].map((item, index) => jsonOf(item, failed, `gave a list whose item ${index} is`));
        },
        WORK_LIMIT,
      );
    },
  };
}

/** `outputs.list.items` and the like: the way to a value that is there as it is, so that nothing needs to be copied. */
function pathOf({ exprKind }: Expr): (string | number)[] | undefined {
  if (exprKind.case === 'identExpr') return [exprKind.value.name];
  if (exprKind.case === 'selectExpr' && !exprKind.value.testOnly) {
    const { operand, field } = exprKind.value;
    const before = operand && pathOf(operand);
    return before && [...before, field];
  }
  if (exprKind.case !== 'callExpr' || exprKind.value.function !== '_[_]') return undefined;
  const [operand, index] = exprKind.value.args;
  const before = pathOf(operand);
  const key = asLiteral(index);
  const isPart = typeof key === 'string' || typeof key === 'number';
  return before !== undefined && isPart ? [...before, key] : undefined;
}

function listAt(
  source: string,
  [root, ...path]: readonly (string | number)[],
  input: ListInput,
): readonly unknown[] {
  let at: unknown = root === 'outputs' ? input.outputs : input.globalContext;
  const roots = { outputs: input.outputs, global_context: input.globalContext };
  const failed = (reason: string): MaestroError =>
    evaluationFailed('map', source, reason, { values: valuesRead(source, roots) });
  for (const key of path) {
    const next = valueIn(at, key);
    if (next === undefined) throw failed(`cannot be evaluated: there is no ${JSON.stringify(key)} in it`);
    at = next;
  }
  if (!Array.isArray(at)) throw failed('gave no list');
  return at;
}

function valueIn(container: unknown, key: string | number): unknown {
  if (container instanceof Map) return container.get(key);
  if (Array.isArray(container)) return typeof key === 'number' ? container[key] : undefined;
  if (typeof container !== 'object' || container === null || typeof key !== 'string') return undefined;
  return Object.hasOwn(container, key) ? (container as Record<string, unknown>)[key] : undefined;
}
