import { MaestroError } from '../base/errors.js';

/** What `depends` may ask of a task (Argo's names). */
export const TASK_RESULTS = ['Succeeded', 'Failed', 'Errored', 'Skipped', 'Omitted', 'Daemoned'] as const;
export type TaskResult = (typeof TASK_RESULTS)[number];

/** A parsed `depends` expression. */
export type DependsExpression =
  | { readonly kind: 'task'; readonly task: string; readonly results: readonly TaskResult[] }
  | { readonly kind: 'not'; readonly of: DependsExpression }
  | { readonly kind: 'and' | 'or'; readonly of: readonly DependsExpression[] };

/** What a bare task name asks for. */
const BARE: readonly TaskResult[] = ['Succeeded', 'Skipped', 'Daemoned'];
const MAX_LENGTH = 10_000;
const MAX_DEPTH = 100;
/** A name in quotes, a plain name with an optional result, an operator, or anything else. */
const TOKEN = /\s+|"((?:[^"\\]|\\.)*)"|([A-Za-z0-9_-]+)|(&&|\|\||[!().])|(.)/gsu;

interface Token {
  readonly kind: 'name' | 'operator';
  readonly text: string;
  readonly at: number;
}

/**
 * Parses Argo's dependency language: `A.Succeeded || (B.Failed && !C.Skipped)`. `!` binds tightest, then `&&`, then
 * `||`. Names with other characters than letters, digits, `_` and `-` go in double quotes.
 * @throws SPEC_INVALID naming the place
 */
export function parseDepends(text: string): DependsExpression {
  if (text.length > MAX_LENGTH) throw invalid(`it is longer than ${MAX_LENGTH} characters`);
  return new Parser(tokensOf(text)).whole();
}

/** Names of the tasks in an expression, once each, in the order they stand. */
export function tasksOf(expression: DependsExpression): readonly string[] {
  const tasks = new Set<string>();
  const visit = (each: DependsExpression): void => {
    if (each.kind === 'task') tasks.add(each.task);
    else if (each.kind === 'not') visit(each.of);
    else each.of.forEach(visit);
  };
  visit(expression);
  return [...tasks];
}

/** Whether an expression holds. Ask only when every task in it has ended: Argo looks at nothing before. */
export function holds(expression: DependsExpression, resultOf: (task: string) => TaskResult): boolean {
  switch (expression.kind) {
    case 'task':
      return expression.results.includes(resultOf(expression.task));
    case 'not':
      return !holds(expression.of, resultOf);
    case 'and':
      return expression.of.every((each) => holds(each, resultOf));
    case 'or':
      return expression.of.some((each) => holds(each, resultOf));
  }
}

/** Whether it asks for Failed, Errored or Omitted, or negates anything. */
export function asksForFailure(expression: DependsExpression): boolean {
  switch (expression.kind) {
    case 'task':
      return !expression.results.every((result) => BARE.includes(result));
    case 'not':
      return true;
    default:
      return expression.of.some(asksForFailure);
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (const match of text.matchAll(TOKEN)) {
    const [, quoted, name, operator, other] = match as (string | undefined)[];
    const at = match.index;
    if (other !== undefined)
      throw invalid(`${JSON.stringify(other)} at character ${at + 1} is not understood`);
    if (quoted !== undefined) tokens.push({ kind: 'name', text: quoted.replace(/\\(.)/gs, '$1'), at });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name, at });
    else if (operator !== undefined) tokens.push({ kind: 'operator', text: operator, at });
  }
  return tokens;
}

/** Recursive descent: or → and → not → task. */
class Parser {
  private next = 0;
  private depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  whole(): DependsExpression {
    const expression = this.or();
    const rest = this.tokens.at(this.next);
    if (rest !== undefined) throw unexpected(rest, 'an operator');
    return expression;
  }

  private or(): DependsExpression {
    return this.chain('or', '||', () => this.chain('and', '&&', () => this.not()));
  }

  private chain(kind: 'and' | 'or', operator: string, operand: () => DependsExpression): DependsExpression {
    const of = [operand()];
    while (this.take(operator)) of.push(operand());
    return of.length === 1 ? of[0] : { kind, of };
  }

  private not(): DependsExpression {
    if (++this.depth > MAX_DEPTH) throw invalid(`it is nested more than ${MAX_DEPTH} deep`);
    try {
      if (this.take('!')) return { kind: 'not', of: this.not() };
      if (!this.take('(')) return this.task();
      const inner = this.or();
      if (!this.take(')')) throw unexpected(this.tokens.at(this.next), '`)`');
      return inner;
    } finally {
      this.depth--;
    }
  }

  private task(): DependsExpression {
    const task = this.name('the id of a node');
    if (!this.take('.')) return { kind: 'task', task, results: BARE };
    const result = this.name('a result');
    if (!TASK_RESULTS.includes(result as TaskResult))
      throw invalid(`${JSON.stringify(result)} is no result; there are ${TASK_RESULTS.join(', ')}`);
    return { kind: 'task', task, results: [result as TaskResult] };
  }

  private name(expected: string): string {
    const token = this.tokens.at(this.next);
    if (token?.kind !== 'name') throw unexpected(token, expected);
    this.next++;
    return token.text;
  }

  private take(operator: string): boolean {
    const token = this.tokens.at(this.next);
    if (token?.kind !== 'operator' || token.text !== operator) return false;
    this.next++;
    return true;
  }
}

function unexpected(token: Token | undefined, expected: string): MaestroError {
  return token === undefined
    ? invalid(`it ends where ${expected} should follow`)
    : invalid(`${JSON.stringify(token.text)} at character ${token.at + 1} stands where ${expected} should`);
}

function invalid(why: string): MaestroError {
  return new MaestroError('SPEC_INVALID', `a dependency expression cannot be read: ${why}`);
}
