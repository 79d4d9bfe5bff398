import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { childrenOf } from './condition-analysis.js';

/** What every turn of a loop is made to call, with the value of its condition. No source can write this name. */
export const CHARGE = '@charge';

/** What replaces `+` where `map()` and `filter()` add to their result. No source can write this name. */
export const APPEND = '@append';

/**
 * Rewrites the loops (`all`, `exists`, `map`, `filter` …) of an expression in place: each turn calls CHARGE, so
 * that nested loops cannot run away, and results grow by APPEND, because the library's concatenation nests
 * lists in lists until the stack overflows, after some 2,500 elements.
 */
export function rewriteLoops(expr: Expr): void {
  for (const child of childrenOf(expr)) rewriteLoops(child);
  if (expr.exprKind.case !== 'comprehensionExpr') return;
  const loop = expr.exprKind.value;
  if (loop.loopCondition !== undefined) loop.loopCondition = call(CHARGE, loop.loopCondition);
  if (loop.loopStep !== undefined) replaceConcatenation(loop.loopStep, loop.accuVar);
}

/** Only the step itself names the result, at its start or in a branch of `filter`; sources cannot. */
function replaceConcatenation(step: Expr, result: string): void {
  if (step.exprKind.case !== 'callExpr') return;
  const { args } = step.exprKind.value;
  const [left, right] = args;
  if (step.exprKind.value.function === '_?_:_') for (const arg of args) replaceConcatenation(arg, result);
  // `exists_one` counts with `+`.
  if (step.exprKind.value.function !== '_+_' || right.exprKind.case !== 'listExpr') return;
  if (left.exprKind.case === 'identExpr' && left.exprKind.value.name === result)
    step.exprKind.value.function = APPEND;
}

function call(name: string, arg: Expr): Expr {
  return {
    $typeName: 'cel.expr.Expr',
    id: arg.id,
    exprKind: { case: 'callExpr', value: { $typeName: 'cel.expr.Expr.Call', function: name, args: [arg] } },
  };
}
