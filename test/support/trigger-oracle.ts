import type { TriggerRule } from '../../src/policy/trigger.js';

/** How a node ended, in the words of the rules; `own`: skipped by its own condition. */
export type End = 'ok' | 'failed' | 'cancelled' | 'blocked' | 'own' | 'skipped' | 'open';
export type Verdict = 'run' | 'skip' | 'block';

/** What `depends` may ask of a node; undefined: its bare name. */
export const RESULTS = ['Succeeded', 'Failed', 'Errored', 'Skipped', 'Omitted', undefined] as const;

/** An expression as a tree. */
export type Wish =
  | { readonly of: string; readonly result: (typeof RESULTS)[number] }
  | { readonly not: Wish }
  | { readonly op: '&&' | '||'; readonly sides: readonly Wish[] };

/** What a node asks of its dependencies. */
export interface Asks {
  readonly rule?: TriggerRule;
  readonly wish?: Wish;
}

/** A wish as `depends` has it. */
export function textOf(wish: Wish): string {
  if ('not' in wish) return `!${textOf(wish.not)}`;
  if ('op' in wish) return `(${wish.sides.map(textOf).join(` ${wish.op} `)})`;
  return JSON.stringify(wish.of) + (wish.result === undefined ? '' : `.${wish.result}`);
}

/** Any wish over these nodes that names them all. */
export function wishOver(
  nodes: readonly string[],
  pick: (k: number) => { result: (typeof RESULTS)[number]; not: boolean; or: boolean },
): Wish {
  return nodes
    .map((of, k): Wish => {
      const { result, not } = pick(k);
      return not ? { not: { of, result } } : { of, result };
    })
    .reduce((left, right, k) => ({ op: pick(k).or ? '||' : '&&', sides: [left, right] }));
}

/**
 * What becomes of a node whose dependencies have all ended: written from Airflow's and Argo's documents, without
 * counting.
 */
export function verdictOf(
  { rule, wish }: Asks,
  dependencies: readonly string[],
  endOf: (id: string) => End,
): Verdict {
  if (wish !== undefined) return isMet(wish, endOf) ? 'run' : 'skip';
  const before = dependencies.map(endOf);
  if (before.length === 0) return 'run';
  const bad = before.filter(isBad);
  const ok = before.filter((end) => end === 'ok');
  const skipped = before.filter((end) => end === 'skipped' || end === 'own');
  const otherwise = (met: boolean, other: Verdict): Verdict => (met ? 'run' : other);
  switch (rule ?? 'all_success') {
    case 'all_success':
      return otherwise(ok.length === before.length, bad.length > 0 ? 'block' : 'skip');
    case 'all_failed':
      return otherwise(bad.length === before.length, 'skip');
    case 'all_skipped':
      return otherwise(skipped.length === before.length, 'skip');
    case 'all_done':
    case 'always':
      return 'run';
    case 'all_done_min_one_success':
      return otherwise(skipped.length === 0 && ok.length > 0, skipped.length > 0 ? 'skip' : 'block');
    case 'one_success':
      return otherwise(ok.length > 0, skipped.length === before.length ? 'skip' : 'block');
    case 'one_failed':
      return otherwise(bad.length > 0, 'skip');
    case 'one_done':
      return otherwise(
        before.some((end) => end === 'ok' || end === 'failed' || end === 'cancelled'),
        'skip',
      );
    case 'none_failed':
      return otherwise(bad.length === 0, 'block');
    case 'none_failed_min_one_success':
      return otherwise(bad.length === 0 && ok.length > 0, bad.length > 0 ? 'block' : 'skip');
    case 'none_skipped':
      return otherwise(skipped.length === 0, 'skip');
  }
}

/** Whether a node may begin while some of its dependencies have not ended. */
export function mayBeginEarly({ rule }: Asks, before: readonly End[]): boolean {
  switch (rule) {
    case 'always':
      return true;
    case 'one_success':
      return before.includes('ok');
    case 'one_failed':
      return before.some(isBad);
    case 'one_done':
      return before.some((end) => end === 'ok' || end === 'failed' || end === 'cancelled');
    default:
      return false;
  }
}

/** Whether fail_fast lets this node run after a failure. */
export function outlasts({ rule = 'all_success', wish }: Asks): boolean {
  if (wish !== undefined) return wantsFailure(wish);
  const held = ['all_success', 'one_success', 'none_failed', 'none_failed_min_one_success', 'all_skipped'];
  return !held.includes(rule);
}

function isBad(end: End): boolean {
  return end === 'failed' || end === 'cancelled' || end === 'blocked';
}

function wantsFailure(wish: Wish): boolean {
  if ('not' in wish) return true;
  if ('op' in wish) return wish.sides.some(wantsFailure);
  return ['Failed', 'Errored', 'Omitted'].includes(wish.result ?? '');
}

function isMet(wish: Wish, endOf: (id: string) => End): boolean {
  if ('not' in wish) return !isMet(wish.not, endOf);
  if ('op' in wish) {
    const met = wish.sides.map((side) => isMet(side, endOf));
    return wish.op === '&&' ? !met.includes(false) : met.includes(true);
  }
  const end = endOf(wish.of);
  switch (wish.result) {
    case undefined:
      return end === 'ok' || end === 'own';
    case 'Succeeded':
      return end === 'ok';
    case 'Failed':
      return end === 'failed';
    case 'Errored':
      return end === 'cancelled';
    case 'Skipped':
      return end === 'own';
    case 'Omitted':
      return end === 'blocked' || end === 'skipped' || end === 'open';
  }
}
