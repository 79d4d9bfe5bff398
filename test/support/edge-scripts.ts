import fc from 'fast-check';
import { dependenciesOf } from '../../src/graph/index.js';
import { mayBeginEarly, verdictOf, type Asks, type End } from './trigger-oracle.js';
import { triggerScripts, type TriggerScript } from './trigger-scripts.js';

export interface EdgeScript extends TriggerScript {
  edges: ReadonlyMap<number, ReadonlyMap<number, boolean | 'error'>>;
}

/** Random graphs with rules, expressions and conditions, a third of whose edges have conditions of their own. */
export function edgeScripts(size: number): fc.Arbitrary<EdgeScript> {
  return triggerScripts(size).chain((script) => {
    const pairs = [...script.plan.order].flatMap((to) =>
      [...dependenciesOf(script.plan, to)].map((from) => [from, to] as const),
    );
    const each = fc.option(fc.constantFrom<boolean | 'error'>(true, true, false, 'error'), { freq: 3 });
    return fc.array(each, { minLength: pairs.length, maxLength: pairs.length }).map((drawn) => {
      const edges = new Map<number, Map<number, boolean | 'error'>>();
      pairs.forEach(([from, to], k) => {
        const verdict = drawn[k % drawn.length];
        if (verdict === null) return;
        edges.set(to, (edges.get(to) ?? new Map<number, boolean | 'error'>()).set(from, verdict));
      });
      return { ...script, edges };
    });
  });
}

/** How a dependency looks through its edge; `wrong`: its condition cannot be evaluated. */
export function endThrough({ edges }: EdgeScript, from: number, to: number, end: End): End | 'wrong' {
  const verdict = edges.get(to)?.get(from);
  if (end !== 'ok' || verdict === undefined || verdict === true) return end;
  return verdict === 'error' ? 'wrong' : 'skipped';
}

/** What the rules say of a node whose dependencies have all ended, edges considered. */
export function edgeVerdict(
  script: EdgeScript,
  node: number,
  ends: readonly End[],
): 'run' | 'skip' | 'block' | 'fail' {
  const { plan } = script;
  const before = [...dependenciesOf(plan, node)];
  const seen = new Map(before.map((at) => [plan.ids[at], endThrough(script, at, node, ends[at])]));
  const asks: Asks = script.asks.get(node) ?? {};
  if (![...seen.values()].includes('wrong'))
    return verdictOf(asks, [...seen.keys()], (id) => seen.get(id) as End);
  const others = [...seen.values()].filter((end): end is End => end !== 'wrong');
  if (asks.wish === undefined && mayBeginEarly(asks, others)) return 'run';
  // A rule that a failure decides is decided by it, whatever else is wrong.
  const isBad = others.some((end) => end === 'failed' || end === 'cancelled' || end === 'blocked');
  const blocks = ['all_success', 'none_failed', 'none_failed_min_one_success'];
  return isBad && asks.wish === undefined && blocks.includes(asks.rule ?? 'all_success') ? 'block' : 'fail';
}
