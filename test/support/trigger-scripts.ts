import fc from 'fast-check';
import { NODE_LEAVES } from '../../machines/events.js';
import type { ExecutionState } from '../../src/engine/execution-state.js';
import { dependenciesOf } from '../../src/graph/index.js';
import { TRIGGER_RULES, triggerOf, type Trigger } from '../../src/policy/trigger.js';
import type { Script } from './engine-driver.js';
import { scriptOver } from './engine-scripts.js';
import * as oracle from './trigger-oracle.js';
import { RESULTS, textOf, wishOver, type Asks, type End, type Verdict } from './trigger-oracle.js';

export interface TriggerScript extends Script {
  seed: number;
  asks: ReadonlyMap<number, Asks>;
}

/** Random graphs of up to `size` nodes, about half of them with a rule or an expression. */
export function triggerScripts(size: number): fc.Arbitrary<TriggerScript> {
  return scriptOver(size).chain((script) => {
    const { nodeCount, ids } = script.plan;
    const each = fc.record({
      choice: fc.nat({ max: 99 }),
      rule: fc.constantFrom(...TRIGGER_RULES),
      picks: fc.array(
        fc.record({ result: fc.constantFrom(...RESULTS), not: fc.boolean(), or: fc.boolean() }),
        { minLength: 1, maxLength: 4 },
      ),
    });
    return fc.array(each, { minLength: nodeCount, maxLength: nodeCount }).map((drawn) => {
      const triggers = new Map<number, Trigger>();
      const asks = new Map<number, Asks>();
      drawn.forEach(({ choice, rule, picks }, node) => {
        const before = [...dependenciesOf(script.plan, node)].map((at) => ids[at]);
        const isWish = choice >= 35 && choice < 55 && before.length > 0;
        if (!isWish && choice >= 35) return;
        const wish = isWish ? wishOver(before, (k) => picks[k % picks.length]) : undefined;
        const trigger = triggerOf(wish === undefined ? { trigger_rule: rule } : { depends: textOf(wish) });
        if (trigger === undefined) return;
        triggers.set(node, trigger);
        asks.set(node, wish === undefined ? { rule } : { wish });
      });
      return { ...script, triggers, asks };
    });
  });
}

export function endsOf({ columns }: ExecutionState): End[] {
  return [...columns.leaf].map((leaf, node) => {
    const name = NODE_LEAVES[leaf];
    if (name === 'completed') return 'ok';
    if (name === 'blocked' || name === 'cancelled') return name;
    if (name === 'skipped') return columns.condition.get(node) === 'false' ? 'own' : 'skipped';
    return name === 'failed.exhausted' ? 'failed' : 'open';
  });
}

/** What the rules say of a node whose dependencies have all ended. */
export function verdictOf({ plan, asks }: TriggerScript, node: number, ends: readonly End[]): Verdict {
  const before = [...dependenciesOf(plan, node)].map((at) => plan.ids[at]);
  return oracle.verdictOf(asks.get(node) ?? {}, before, (id) => ends[plan.indexOf.get(id)!]);
}

/** Whether a node may begin while some of its dependencies have not ended. */
export function mayBeginEarly({ plan, asks }: TriggerScript, node: number, ends: readonly End[]): boolean {
  const before = [...dependenciesOf(plan, node)].map((at) => ends[at]);
  return oracle.mayBeginEarly(asks.get(node) ?? {}, before);
}

/** Whether fail_fast lets this node run after a failure. */
export function outlasts({ asks }: TriggerScript, node: number): boolean {
  return oracle.outlasts(asks.get(node) ?? {});
}
