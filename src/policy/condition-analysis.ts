import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';

/** What a condition may read. */
export const ROOTS: ReadonlySet<string> = new Set(['outputs', 'global_context', 'node']);

/** Identifiers that CEL itself gives a meaning. */
const TYPE_NAMES = new Set([
  'int',
  'uint',
  'double',
  'bool',
  'string',
  'bytes',
  'list',
  'map',
  'null_type',
  'type',
]);

/** Functions that the planner of the library handles itself, so that its environment does not list them. */
const BUILT_IN = new Set(['_[_]', '_?_:_', '_&&_', '_||_', '@not_strictly_false', '__not_strictly_false__']);

/** What is known of an expression without data. */
export interface Analysis {
  readonly references: readonly string[] | 'all';
  /** Names that do not exist, with the id of the expression that uses them. */
  readonly unknown: readonly { readonly what: string; readonly exprId: bigint }[];
}

/** Reads an expression's references and finds unknown names; `isFunction` says which functions exist, `names` what else. */
export function analyse(
  expr: Expr,
  isFunction: (name: string) => boolean,
  names: ReadonlySet<string> = ROOTS,
): Analysis {
  const walker = new Walker(isFunction, names);
  walker.visit(expr, new Set());
  return { references: walker.wholeOutputs ? 'all' : [...walker.references], unknown: walker.unknown };
}

class Walker {
  readonly references = new Set<string>();
  readonly unknown: { what: string; exprId: bigint }[] = [];
  wholeOutputs = false;

  constructor(
    private readonly isFunction: (name: string) => boolean,
    private readonly names: ReadonlySet<string>,
  ) {}

  /** `bound` holds the variables of the loops around. */
  visit(expr: Expr, bound: ReadonlySet<string>): void {
    const id = outputOf(expr, bound);
    if (id !== undefined) {
      this.references.add(id);
      return;
    }
    if (expr.exprKind.case === 'identExpr') this.identifier(expr.exprKind.value.name, expr.id, bound);
    if (expr.exprKind.case === 'callExpr') this.call(expr.exprKind.value.function, expr.id);
    if (expr.exprKind.case === 'structExpr' && expr.exprKind.value.messageName !== '')
      this.unknown.push({ what: `type ${expr.exprKind.value.messageName}`, exprId: expr.id });
    if (expr.exprKind.case !== 'comprehensionExpr') {
      for (const child of childrenOf(expr)) this.visit(child, bound);
      return;
    }
    const loop = expr.exprKind.value;
    const inner = new Set([...bound, loop.iterVar, loop.iterVar2, loop.accuVar]);
    for (const child of [loop.iterRange, loop.accuInit]) if (child) this.visit(child, bound);
    for (const child of [loop.loopCondition, loop.loopStep, loop.result]) if (child) this.visit(child, inner);
  }

  private identifier(name: string, exprId: bigint, bound: ReadonlySet<string>): void {
    if (bound.has(name) || TYPE_NAMES.has(name)) return;
    if (name === 'outputs') this.wholeOutputs = true;
    else if (!this.names.has(name)) this.unknown.push({ what: `name ${name}`, exprId });
  }

  private call(name: string, exprId: bigint): void {
    if (!BUILT_IN.has(name) && !this.isFunction(name))
      this.unknown.push({ what: `function ${name}`, exprId });
  }
}

/** The node id in `outputs.id`, `outputs['id']`, `has(outputs.id)` and `'id' in outputs`. */
function outputOf({ exprKind }: Expr, bound: ReadonlySet<string>): string | undefined {
  const isOutputs = (expr: Expr | undefined): boolean =>
    expr?.exprKind.case === 'identExpr' && expr.exprKind.value.name === 'outputs' && !bound.has('outputs');
  if (exprKind.case === 'selectExpr')
    return isOutputs(exprKind.value.operand) ? exprKind.value.field : undefined;
  if (exprKind.case !== 'callExpr') return undefined;
  const { args } = exprKind.value;
  if (exprKind.value.function === '_[_]' && isOutputs(args[0])) return textOf(args[1]);
  if (exprKind.value.function === '@in' && isOutputs(args[1])) return textOf(args[0]);
  return undefined;
}

function textOf({ exprKind }: Expr): string | undefined {
  if (exprKind.case !== 'constExpr' || exprKind.value.constantKind.case !== 'stringValue') return undefined;
  return exprKind.value.constantKind.value;
}

/** The expressions directly inside one. */
export function childrenOf({ exprKind }: Expr): Expr[] {
  const given = (children: readonly (Expr | undefined)[]): Expr[] =>
    children.filter((child) => child !== undefined);
  switch (exprKind.case) {
    case 'selectExpr':
      return given([exprKind.value.operand]);
    case 'callExpr':
      return given([exprKind.value.target, ...exprKind.value.args]);
    case 'listExpr':
      return exprKind.value.elements;
    case 'structExpr':
      return exprKind.value.entries.flatMap(({ keyKind, value }) =>
        given([keyKind.case === 'mapKey' ? keyKind.value : undefined, value]),
      );
    case 'comprehensionExpr': {
      const { iterRange, accuInit, loopCondition, loopStep, result } = exprKind.value;
      return given([iterRange, accuInit, loopCondition, loopStep, result]);
    }
    default:
      return [];
  }
}
