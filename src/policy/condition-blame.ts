import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { childrenOf } from './condition-analysis.js';
import { conditionLanguage } from './condition-language.js';
import { asLiteral } from './condition-read-types.js';

/** What a condition read, as text: `outputs.check.count` → its value as JSON. */
export type ReadValues = Readonly<Record<string, string>>;

const MOST = 5;
const MAX_VALUE_LENGTH = 100;

/**
 * The values at the places that an expression names, for the message about its failure: which of them it failed on
 * cannot be told from the outside. At most five; what is not there is `nothing`.
 */
export function valuesRead(source: string, roots: Readonly<Record<string, unknown>>): ReadValues {
  const { expr } = conditionLanguage().cel.parse(source);
  const places = new Map<string, readonly (string | number)[]>();
  collect(expr, roots, places);
  const shown = [...places].slice(0, MOST).map(([text, path]) => [text, valueText(valueAt(roots, path))]);
  return Object.fromEntries(shown) as ReadValues;
}

function collect(
  expr: Expr,
  roots: Readonly<Record<string, unknown>>,
  places: Map<string, readonly (string | number)[]>,
): void {
  const path = pathOf(expr, roots);
  if (path !== undefined && path.length > 1) places.set(textOf(path), path);
  else for (const child of childrenOf(expr)) collect(child, roots, places);
}

/** `outputs.a['b'][0]` as its parts; undefined for what is no such chain. */
function pathOf(
  { exprKind }: Expr,
  roots: Readonly<Record<string, unknown>>,
): (string | number)[] | undefined {
  if (exprKind.case === 'identExpr')
    return Object.hasOwn(roots, exprKind.value.name) ? [exprKind.value.name] : undefined;
  if (exprKind.case === 'selectExpr') {
    const base = exprKind.value.operand && pathOf(exprKind.value.operand, roots);
    return base && [...base, exprKind.value.field];
  }
  if (exprKind.case !== 'callExpr' || exprKind.value.function !== '_[_]') return undefined;
  const [operand, index] = exprKind.value.args;
  const base = pathOf(operand, roots);
  const key = asLiteral(index);
  return base !== undefined && (typeof key === 'string' || typeof key === 'number')
    ? [...base, key]
    : undefined;
}

function textOf([root, ...rest]: readonly (string | number)[]): string {
  const plain = /^[A-Za-z_]\w*$/;
  return rest.reduce<string>(
    (text, part) =>
      typeof part === 'string' && plain.test(part) ? `${text}.${part}` : `${text}[${JSON.stringify(part)}]`,
    String(root),
  );
}

function valueAt(roots: Readonly<Record<string, unknown>>, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((value, part) => {
    if (value instanceof Map) return (value as Map<unknown, unknown>).get(part);
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    return (value as Record<string | number, unknown>)[part];
  }, roots);
}

function valueText(value: unknown): string {
  if (value === undefined) return 'nothing';
  const json = JSON.stringify(value) as string | undefined;
  const text = value instanceof Map ? 'a map' : (json ?? typeof value);
  return text.length <= MAX_VALUE_LENGTH ? text : `${text.slice(0, MAX_VALUE_LENGTH)}…`;
}
