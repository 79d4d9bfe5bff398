import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { childrenOf } from './condition-analysis.js';

/** What the place where a value is read says about its type. */
export type ReadKind = 'number' | 'text' | 'boolean' | 'list' | 'map' | 'sized' | 'moment' | 'duration';

/** A value that stands in a condition; `{size}`: of something that long; `{value}`: a list or map of constants. */
export type Literal =
  string | number | boolean | null | { readonly size: number } | { readonly value: unknown };

/** What is expected of the value of an expression. */
export interface Want {
  readonly kind: ReadKind | undefined;
  readonly literals: readonly Literal[];
  /** Regular expressions it is matched with. */
  readonly patterns: readonly string[];
}

const EQUALITY = new Set(['_==_', '_!=_']);
const ORDER = new Set(['_<_', '_<=_', '_>_', '_>=_']);
const ARITHMETIC = new Set(['_+_', '_-_', '_*_', '_/_', '_%_', '-_']);
const LOGIC = new Set(['_&&_', '_||_', '!_', '@not_strictly_false', '__not_strictly_false__']);
const TEXT = new Set(['contains', 'startsWith', 'endsWith']);
/** What conversions read. */
const CONVERSIONS: ReadonlyMap<string, ReadKind> = new Map([
  ['int', 'number'],
  ['uint', 'number'],
  ['double', 'number'],
  ['timestamp', 'moment'],
  ['duration', 'duration'],
]);

/** What operators and functions say about the values they are given. */
export const ReadTypes = {
  /** What is wanted of each operand of a call whose own result is wanted so. */
  wantsOf(name: string, operands: readonly Expr[], want: Want): Partial<Want>[] {
    const all = (wanted: Partial<Want>): Partial<Want>[] => operands.map(() => wanted);
    if (LOGIC.has(name)) return all({ kind: 'boolean' });
    if (name === '_?_:_') return [{ kind: 'boolean' }, want, want];
    if (EQUALITY.has(name) || ORDER.has(name)) return compared(name, operands);
    if (ARITHMETIC.has(name)) {
      const isText = want.literals.some((literal) => typeof literal === 'string');
      return all({ kind: isText ? undefined : 'number', literals: want.literals });
    }
    if (name === 'size') {
      const sizes = want.literals.filter((literal) => typeof literal === 'number');
      return all({ kind: 'sized', literals: sizes.map((size) => ({ size })) });
    }
    if (TEXT.has(name)) return all({ kind: 'text', literals: ReadTypes.literalsIn(operands[1]) });
    if (name === 'matches') {
      const pattern = asLiteral(operands[1]);
      return all({ kind: 'text', patterns: typeof pattern === 'string' ? [pattern] : [] });
    }
    if (name === 'dyn') return all(want);
    const converted = CONVERSIONS.get(name);
    return all(converted === undefined ? {} : { kind: converted, literals: want.literals });
  },

  /** Every literal in an expression, but those that name a part of something. */
  literalsIn(expr: Expr): Literal[] {
    const own = asLiteral(expr);
    if (own !== undefined) return [own];
    const whole = constantOf(expr);
    if (whole !== undefined) return [{ value: whole }];
    const { exprKind } = expr;
    const isIndexed = exprKind.case === 'callExpr' && exprKind.value.function === '_[_]';
    const inside = isIndexed ? exprKind.value.args.slice(0, 1) : childrenOf(expr);
    return inside.flatMap((child) => ReadTypes.literalsIn(child));
  },
};

/** Each side is compared with what stands on the other one, and with what it is itself combined with. */
function compared(name: string, operands: readonly Expr[]): Partial<Want>[] {
  const literals = operands.flatMap((operand) => ReadTypes.literalsIn(operand));
  const types = new Set(literals.map((literal) => typeof literal));
  if (!ORDER.has(name)) return operands.map(() => ({ literals }));
  const kind = types.has('string') ? 'text' : 'number';
  return operands.map(() => ({ kind, literals }));
}

/** The JSON value of an expression without variables; undefined when it has some. */
function constantOf(expr: Expr): unknown {
  const scalar = asLiteral(expr);
  if (scalar !== undefined) return scalar;
  const { exprKind } = expr;
  if (exprKind.case === 'listExpr') {
    const elements = exprKind.value.elements.map(constantOf);
    return elements.includes(undefined) ? undefined : elements;
  }
  if (exprKind.case !== 'structExpr' || exprKind.value.messageName !== '') return undefined;
  const entries = exprKind.value.entries.map(({ keyKind, value }) => [
    keyKind.case === 'mapKey' ? asLiteral(keyKind.value) : undefined,
    value && constantOf(value),
  ]);
  if (entries.flat().includes(undefined)) return undefined;
  return Object.fromEntries(entries) as unknown;
}

/** The value of a literal, or of one with a minus sign. */
export function asLiteral({ exprKind }: Expr): string | number | boolean | null | undefined {
  if (exprKind.case === 'callExpr' && exprKind.value.function === '-_') {
    const value = asLiteral(exprKind.value.args[0]);
    return typeof value === 'number' ? -value : undefined;
  }
  if (exprKind.case !== 'constExpr') return undefined;
  const { constantKind } = exprKind.value;
  switch (constantKind.case) {
    case 'int64Value':
    case 'uint64Value':
    case 'doubleValue':
      return Number(constantKind.value);
    case 'stringValue':
    case 'boolValue':
      return constantKind.value;
    case 'nullValue':
      return null;
    default:
      return undefined;
  }
}
