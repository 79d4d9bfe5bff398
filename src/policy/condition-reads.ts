import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { childrenOf } from './condition-analysis.js';
import { conditionLanguage } from './condition-language.js';
import { asLiteral, ReadTypes, type Literal, type ReadKind, type Want } from './condition-read-types.js';

export type { Literal, ReadKind } from './condition-read-types.js';

/** A step of a path: a key, a position, or EACH for any element or key. */
export type PathPart = string | number | typeof EACH;
export const EACH: unique symbol = Symbol('each');

/** One place where a condition reads an output. */
export interface Read {
  /** The node whose output it is; EACH when only data can tell. */
  readonly node: string | typeof EACH;
  readonly path: readonly PathPart[];
  /** undefined: the place says nothing about its type. */
  readonly kind: ReadKind | undefined;
  /** What it is compared with, directly or in arithmetic. */
  readonly literals: readonly Literal[];
  /** The condition asks whether it is there. */
  readonly optional: boolean;
  /** Regular expressions it is matched with. */
  readonly patterns: readonly string[];
}

/**
 * The places of outputs that a valid condition reads, with what it compares them to: values around those take the
 * condition both ways. An approximation from the text alone, for generating data.
 * @param own the node whose output `node.output` is, where an expression has that
 */
export function conditionReads(source: string, own?: string): Read[] {
  const { expr } = conditionLanguage().cel.parse(source);
  const walker = new ReadWalker(own);
  walker.visit(expr, { ...NOTHING, kind: 'boolean' }, new Map());
  return walker.reads;
}

/** A value that comes from outputs, or from a loop over them. */
interface Source {
  /** undefined: `outputs` itself. */
  readonly node: Read['node'] | undefined;
  readonly path: readonly PathPart[];
  /** The value is a key of this place, not something in it. */
  readonly keyOf?: Source;
}

type Bindings = ReadonlyMap<string, Source | undefined>;

const NOTHING: Want = { kind: undefined, literals: [], patterns: [] };

class ReadWalker {
  readonly reads: Read[] = [];

  constructor(private readonly own: string | undefined) {}

  visit(expr: Expr, want: Want, bound: Bindings): void {
    const source = this.sourceOf(expr, bound);
    const { exprKind } = expr;
    const asked = exprKind.case === 'selectExpr' && exprKind.value.testOnly;
    if (source !== undefined) return this.note(source, asked ? { ...NOTHING } : want, asked);
    if (exprKind.case === 'comprehensionExpr') return this.loop(expr, want, bound);
    if (exprKind.case !== 'callExpr') {
      for (const child of childrenOf(expr)) this.visit(child, NOTHING, bound);
      return;
    }
    const { function: name, args, target } = exprKind.value;
    const operands = target === undefined ? args : [target, ...args];
    if (name === '@in') return this.membership(operands, bound);
    const wants = ReadTypes.wantsOf(name, operands, want);
    operands.forEach((operand, index) => this.visit(operand, { ...NOTHING, ...wants[index] }, bound));
  }

  private note({ node, path, keyOf }: Source, want: Want, optional: boolean): void {
    if (node === undefined || keyOf !== undefined) return;
    this.reads.push({ node, path, ...want, optional });
  }

  /** `x in list`, `'key' in map`: what is asked for is an element of the one, the elements are values of the other. */
  private membership([element, range]: readonly Expr[], bound: Bindings): void {
    const listed = range.exprKind.case === 'listExpr' ? range.exprKind.value.elements : [range];
    const elements = listed.flatMap((each) => ReadTypes.literalsIn(each));
    const wanted = asLiteral(element);
    const source = this.sourceOf(range, bound);
    if (source?.node === undefined && source !== undefined && typeof wanted === 'string')
      return this.note({ node: wanted, path: [] }, NOTHING, false);
    this.visit(element, { ...NOTHING, literals: elements }, bound);
    const members = wanted === undefined ? [] : [wanted];
    this.visit(range, { ...NOTHING, kind: 'list', literals: members }, bound);
  }

  /** `exists`, `all`, `map`, `filter`: the loop's variable is an element of what it goes over. */
  private loop(expr: Expr, want: Want, bound: Bindings): void {
    if (expr.exprKind.case !== 'comprehensionExpr') return;
    const { iterRange, iterVar, iterVar2, accuVar, accuInit, loopStep } = expr.exprKind.value;
    if (iterRange === undefined || loopStep === undefined) return;
    // What is said of the size of the result goes for that of the range.
    const sizes = want.literals.filter((literal) => typeof literal === 'object');
    this.visit(iterRange, { ...NOTHING, kind: 'list', literals: sizes }, bound);
    const inner = new Map(bound).set(iterVar, this.elementOf(iterRange, bound)).set(accuVar, undefined);
    if (iterVar2 !== '') inner.set(iterVar2, undefined);
    const isYesNo = accuInit?.exprKind.case === 'constExpr' && typeof asLiteral(accuInit) === 'boolean';
    this.visit(loopStep, isYesNo ? { ...NOTHING, kind: 'boolean' } : NOTHING, inner);
  }

  /** What a loop over this goes through. */
  private elementOf(range: Expr, bound: Bindings): Source | undefined {
    const source = this.sourceOf(range, bound);
    if (source !== undefined)
      return {
        node: source.node ?? EACH,
        path: [...source.path, EACH],
        keyOf: source.node === undefined ? source : undefined,
      };
    if (range.exprKind.case !== 'comprehensionExpr') return undefined;
    const { iterRange, iterVar, loopStep } = range.exprKind.value;
    if (iterRange === undefined || loopStep === undefined) return undefined;
    const made = madeBy(loopStep);
    return made && this.sourceOf(made, new Map(bound).set(iterVar, this.elementOf(iterRange, bound)));
  }

  /** `node.output`, which only what ends a loop has. */
  private isOwnOutput(exprKind: Expr['exprKind'], bound: Bindings): boolean {
    if (this.own === undefined || bound.has('node') || exprKind.case !== 'selectExpr') return false;
    const of = exprKind.value.operand?.exprKind;
    return exprKind.value.field === 'output' && of?.case === 'identExpr' && of.value.name === 'node';
  }

  /** What `outputs.a.b[0]`, or a loop's variable and what is inside of it, stands for. */
  private sourceOf({ exprKind }: Expr, bound: Bindings): Source | undefined {
    if (exprKind.case === 'identExpr') {
      const { name } = exprKind.value;
      if (bound.has(name)) return bound.get(name);
      return name === 'outputs' ? { node: undefined, path: [] } : undefined;
    }
    if (this.isOwnOutput(exprKind, bound)) return { node: this.own, path: [] };
    if (exprKind.case === 'selectExpr') {
      const base = exprKind.value.operand && this.sourceOf(exprKind.value.operand, bound);
      return base && inside(base, exprKind.value.field);
    }
    if (exprKind.case !== 'callExpr' || exprKind.value.function !== '_[_]') return undefined;
    const [operand, index] = exprKind.value.args;
    const base = this.sourceOf(operand, bound);
    if (base === undefined) return undefined;
    const key = asLiteral(index);
    if (typeof key === 'string' || typeof key === 'number') return inside(base, key);
    this.visit(index, NOTHING, bound);
    // Indexed by what a loop takes from it: then it is a map, and its keys are free.
    const loops = this.sourceOf(index, bound);
    if (loops !== undefined && base.node !== undefined && samePlace(loops, base))
      this.note(base, { ...NOTHING, kind: 'map' }, false);
    return inside(base, EACH);
  }
}

function inside({ node, path, keyOf }: Source, key: PathPart): Source | undefined {
  if (keyOf !== undefined) return undefined;
  if (node !== undefined) return { node, path: [...path, key] };
  return typeof key === 'number' ? undefined : { node: key, path: [] };
}

function samePlace(element: Source, base: Source): boolean {
  if (element.node !== base.node || element.path.length !== base.path.length + 1) return false;
  return base.path.every((part, index) => part === element.path[index]);
}

/** What `map` and `filter` put into their result. */
function madeBy(step: Expr): Expr | undefined {
  if (step.exprKind.case === 'listExpr') return step.exprKind.value.elements[0];
  return childrenOf(step)
    .map(madeBy)
    .find((made) => made !== undefined);
}
