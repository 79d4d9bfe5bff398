import { createRequire } from 'node:module';
import type * as Cel from '@bufbuild/cel';
import { APPEND, CHARGE } from './condition-loops.js';
import { WorkBudget } from './condition-values.js';

/** The CEL library and the functions that conditions have. */
export interface ConditionLanguage {
  readonly cel: typeof Cel;
  readonly env: Cel.CelEnv;
}

/** Evaluations are synchronous and do not nest, so that one budget, renewed for each, is enough. */
export const budget = new WorkBudget();

const ARITHMETIC: readonly [operator: string, apply: (left: number, right: number) => number][] = [
  ['_+_', (left, right) => left + right],
  ['_-_', (left, right) => left - right],
  ['_*_', (left, right) => left * right],
  ['_/_', (left, right) => left / right],
  ['_%_', (left, right) => left % right],
];

let loaded: ConditionLanguage | undefined;

/** Loaded by the first condition: the library costs 150 ms, and most workflows have none. */
export function conditionLanguage(): ConditionLanguage {
  loaded ??= build(createRequire(import.meta.url)('@bufbuild/cel') as typeof Cel);
  return loaded;
}

/**
 * Numbers from JSON are CEL doubles, as everywhere that CEL meets JSON: were 1 an int and 1.5 a double, the
 * meaning of `x / 2` would depend on the data. Beyond standard CEL, arithmetic takes a double and an integer
 * (`outputs.a.count + 1`), and `%` takes doubles.
 */
function build(cel: typeof Cel): ConditionLanguage {
  const { celEnv, celFunc, celList, CelScalar, listType } = cel;
  const { DOUBLE, DYN, INT } = CelScalar;
  const list = listType(DYN);
  const env = celEnv({
    funcs: [
      celFunc(CHARGE, [DYN], DYN, (value) => {
        budget.chargeIteration();
        return value;
      }),
      celFunc(APPEND, [list, list], list, (left, right) => append(left, right, celList)),
      // The library's own concatenation is free until it is read; then a chain of them costs without being charged.
      celFunc('_+_', [list, list], list, (left, right) => {
        budget.charge(left.size + right.size);
        return [...left, ...right];
      }),
      celFunc('_%_', [DOUBLE, DOUBLE], DOUBLE, (left, right) => left % right),
      ...ARITHMETIC.flatMap(([operator, apply]) => [
        celFunc(operator, [DOUBLE, INT], DOUBLE, (left, right) => apply(left, Number(right))),
        celFunc(operator, [INT, DOUBLE], DOUBLE, (left, right) => apply(Number(left), right)),
      ]),
    ],
  });
  return { cel, env };
}

/**
 * The result of a loop and the elements behind it. Growing it in place is safe: only the loop sees it before it
 * is whole, and only the latest of it.
 */
const growing = new WeakMap<Cel.CelList, Cel.CelInput[]>();

function append(left: Cel.CelList, right: Cel.CelList, celList: typeof Cel.celList): Cel.CelList {
  const elements = growing.get(left);
  if (elements !== undefined) {
    elements.push(...right);
    return left;
  }
  const first: Cel.CelInput[] = [...left, ...right];
  const list = celList(first);
  growing.set(list, first);
  return list;
}
