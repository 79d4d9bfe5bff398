import fc from 'fast-check';
import { compilePlan, type GraphNode } from '../../src/graph/index.js';
import type { GroupPolicy } from '../../src/policy/group.js';
import type { NodeScript, Script } from './engine-driver.js';
import { lcg } from './random-dag.js';

export type GroupScript = Script & { seed: number; groups: ReadonlyMap<number, GroupPolicy> };

const policies: fc.Arbitrary<GroupPolicy> = fc.record({
  maxConcurrency: fc.constantFrom(1, 2, 5, Infinity),
  strategy: fc.constantFrom('one_for_one' as const, 'one_for_all' as const, 'rest_for_one' as const),
  intensity: fc.record({
    maxRestarts: fc.constantFrom(0, 1, 3, 8),
    withinMs: fc.constantFrom(Infinity, Infinity, 40),
  }),
  onMemberFailure: fc.constantFrom('continue' as const, 'cancel' as const),
});

const waits = [
  { kind: 'time', seconds: 1 },
  { kind: 'review', deadlineSeconds: null, fallback: null, onReject: 'fail' },
] as const;

const nodeScript: fc.Arbitrary<NodeScript> = fc.record(
  {
    outcomes: fc.constantFrom<NodeScript['outcomes'][]>(['ok'], ['ok'], ['fail', 'ok'], ['lost', 'ok']),
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    failsUntilRun: fc.constantFrom(0, 0, 0, 1, 2, 99),
    condition: fc.option(fc.constantFrom<boolean | 'error'>(true, true, true, false, 'error'), {
      nil: undefined,
      freq: 5,
    }),
    wait: fc.option(fc.constantFrom(...waits), { nil: undefined, freq: 12 }),
  },
  { requiredKeys: ['outcomes', 'maxAttempts', 'failsUntilRun'] },
);

/** Groups over a random acyclic graph, with dependencies inside them, around them and past them. */
function graphOf(size: number, seed: number): GraphNode[] {
  const random = lcg(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const groupCount = 1 + below(3);
  const memberOf = Array.from({ length: size }, () => (random() < 0.75 ? below(groupCount) : -1));
  const groups = Array.from({ length: groupCount }, (_, group) =>
    memberOf.flatMap((at, i) => (at === group ? [i] : [])),
  );
  const nodes: GraphNode[] = [];
  for (let i = 0; i < size; i++) {
    const dependencies = new Set<string>();
    for (let k = below(3); k > 0 && i > 0; k--) dependencies.add(`n${below(i)}`);
    // What comes after all members of a group may depend on it.
    groups.forEach((members, group) => {
      if (members.length > 0 && members.at(-1)! < i && random() < 0.3) dependencies.add(`g${group}`);
    });
    nodes.push({ id: `n${i}`, dependencies: [...dependencies] });
  }
  groups.forEach((members, group) => {
    if (members.length === 0) return;
    const dependencies = members[0] > 0 && random() < 0.5 ? [`n${below(members[0])}`] : [];
    // Members are listed in any order: that of the list is what rest_for_one goes by.
    const listed = members.map((i) => `n${i}`).sort(() => random() - 0.5);
    nodes.push({ id: `g${group}`, dependencies, members: listed });
  });
  return nodes;
}

/** Where restarts are forgotten after a while, what always fails would go on for ever. */
function healing(node: NodeScript): NodeScript {
  const { condition, wait, failsUntilRun = 0 } = node;
  return {
    ...node,
    outcomes: ['ok'],
    failsUntilRun: Math.min(2, failsUntilRun),
    condition: condition === 'error' ? true : condition,
    wait: wait?.kind === 'review' ? undefined : wait,
  };
}

/** Random groups, what their members do, and how they are run. */
export function groupScripts(
  how: { failureMode?: Script['failureMode']; policy?: Partial<GroupPolicy> } = {},
): fc.Arbitrary<GroupScript> {
  return fc
    .record({ size: fc.integer({ min: 2, max: 40 }), seed: fc.integer() })
    .map(({ size, seed }) => compilePlan(graphOf(size, seed)))
    .chain((plan) =>
      fc.record({
        plan: fc.constant(plan),
        nodes: fc.array(nodeScript, { minLength: plan.nodeCount, maxLength: plan.nodeCount }),
        policies: fc.array(policies, { minLength: plan.groups.size, maxLength: plan.groups.size }),
        failureMode: fc.constantFrom('fail_fast' as const, 'continue' as const),
        linear: fc.boolean(),
        retries: fc.boolean(),
        concurrency: fc.constantFrom(1, 3, 1000),
        seed: fc.integer(),
      }),
    )
    .map(({ policies: chosen, ...script }) => ({
      ...script,
      failureMode: how.failureMode ?? script.failureMode,
      concurrency: script.linear ? 1 : script.concurrency,
      groups: new Map(
        [...script.plan.groups.keys()].map((group, k) => [group, { ...chosen[k], ...how.policy }]),
      ),
      nodes: script.nodes.map((node, at): NodeScript => {
        // A group does nothing itself.
        if (script.plan.groups.has(at)) return { outcomes: ['ok'], maxAttempts: 1 };
        return chosen.some(({ intensity }) => intensity.withinMs < Infinity) ? healing(node) : node;
      }),
    }));
}
