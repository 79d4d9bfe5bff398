import type { Random } from '../../src/base/random.js';
import { LEAF } from '../../src/engine/columns.js';
import type { NodeSpec } from '../../src/spec/index.js';
import { TRIGGER_RULES } from '../../src/policy/trigger.js';
import {
  mayBeginEarly,
  outlasts,
  RESULTS,
  textOf,
  verdictOf,
  wishOver,
  type Asks,
  type End,
  type Wish,
} from '../support/trigger-oracle.js';
import type { Shadow } from './shadow.js';

/** Gives some nodes a rule or an expression; the oracle finds what it asks for in its metadata. */
export function addTriggers(nodes: NodeSpec[], random: Random): void {
  const oneOf = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)];
  const members = new Set(nodes.flatMap((node) => node.members ?? []));
  for (const node of nodes) {
    const before = node.dependencies ?? [];
    if (node.members !== undefined || random() < 0.5) continue;
    // What is there when a node runs early depends on time: conditions look at nothing.
    if (node.condition?.includes('outputs') === true) delete node.condition;
    if (before.length > 0 && !members.has(node.id) && random() < 0.35) {
      const pick = (): { result: (typeof RESULTS)[number]; not: boolean; or: boolean } => ({
        result: oneOf(RESULTS),
        not: random() < 0.3,
        or: random() < 0.5,
      });
      const wish = wishOver(before, pick);
      node.depends = textOf(wish);
      node.metadata = { wish };
    } else node.trigger_rule = oneOf(TRIGGER_RULES);
  }
}

/** What a node asks of its dependencies; undefined: their success. */
export function asksOf({ trigger_rule: rule = 'all_success', metadata }: NodeSpec): Asks | undefined {
  const wish = metadata?.wish as Wish | undefined;
  if (wish !== undefined) return { wish };
  return rule === 'all_success' ? undefined : { rule };
}

/** How a node has ended, as far as it has, as one that depends on it sees it: from what is on disk. */
function endOf(shadow: Shadow, id: string, to: number): End {
  const { state, plan, planned } = shadow;
  const node = plan.indexOf.get(id)!;
  const { leaf, condition } = state.columns;
  const { condition: own } = planned.workflow.spec.nodes[node];
  switch (leaf[node]) {
    case LEAF.completed: {
      const hasCome = to === node || shadow.hasCome(node, to);
      return hasCome === null ? 'open' : hasCome ? 'ok' : 'skipped';
    }
    case LEAF['failed.exhausted']:
      return 'failed';
    case LEAF.cancelled:
      return 'cancelled';
    case LEAF.blocked:
      return 'blocked';
    case LEAF.skipped:
      return own !== undefined && condition.get(node) === own ? 'own' : 'skipped';
    default:
      return 'open';
  }
}

const idsBefore = (shadow: Shadow, node: number): string[] =>
  shadow.dependenciesOf(node).map((at) => shadow.plan.ids[at]);

/** Under fail_fast those that outlast failures take what is held back for skipped. */
function takesHeldForSkipped({ planned }: Shadow, asks: Asks): boolean {
  return planned.failureMode === 'fail_fast' && outlasts(asks);
}

/** Whether a node with a trigger may begin now. */
export function mayBegin(shadow: Shadow, node: number, asks: Asks): boolean {
  if (shadow.state.isOutdated(node)) return true;
  const before = idsBefore(shadow, node);
  const ends = before.map((id) => endOf(shadow, id, node));
  if (!ends.includes('open')) return verdictOf(asks, before, (id) => endOf(shadow, id, node)) === 'run';
  if (mayBeginEarly(asks, ends)) return true;
  return takesHeldForSkipped(shadow, asks) && verdictWithoutOpen(shadow, node, asks) === 'run';
}

/** What is wrong with where a node with a trigger is at the end; null when nothing is. */
export function wrongEnd(shadow: Shadow, node: number, asks: Asks): string | null {
  const { status } = shadow.record!;
  const end = endOf(shadow, shadow.plan.ids[node], node);
  const before = idsBefore(shadow, node);
  const ends = before.map((id) => endOf(shadow, id, node));
  const verdict = verdictWithoutOpen(shadow, node, asks);
  if (end === 'open')
    return status === 'failed' && takesHeldForSkipped(shadow, asks) && verdict === 'run'
      ? 'was left behind after a failure'
      : null;
  if (ends.includes('open') || end === 'own' || end === 'cancelled') return null;
  if (end === 'blocked') return verdict === 'block' ? null : `is blocked, and the rules say ${verdict}`;
  if (end === 'skipped') return verdict === 'skip' ? null : `is skipped, and the rules say ${verdict}`;
  const isExcused = shadow.lineage !== null || takesHeldForSkipped(shadow, asks);
  return verdict === 'run' || isExcused ? null : `has run, and the rules say ${verdict}`;
}

/** Whether an attempt of this node may be sent without the output of a dependency that has completed by now. */
export function mayLackInputs(shadow: Shadow, node: number, asks: Asks): boolean {
  const early = ['always', 'one_success', 'one_failed', 'one_done'].includes(asks.rule ?? '');
  return early || takesHeldForSkipped(shadow, asks) || shadow.state.isOutdated(node);
}

function verdictWithoutOpen(shadow: Shadow, node: number, asks: Asks): string {
  return verdictOf(asks, idsBefore(shadow, node), (id) => {
    const end = endOf(shadow, id, node);
    return end === 'open' ? 'skipped' : end;
  });
}
