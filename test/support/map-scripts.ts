import fc from 'fast-check';
import type { MapList } from '../../src/engine/effects.js';
import { compilePlan, type GraphNode } from '../../src/graph/index.js';
import type { MapPolicy } from '../../src/policy/map.js';
import type { NodeScript, Script } from './engine-driver.js';
import { lcg } from './random-dag.js';

export type MapScript = Script & {
  seed: number;
  maps: ReadonlyMap<number, MapPolicy>;
  itemScript: (stage: number, item: number) => NodeScript;
  listOf: (gate: number, runs: number) => MapList;
};

const policies: fc.Arbitrary<MapPolicy> = fc.record({
  maxConcurrency: fc.constantFrom(1, 2, 5, Infinity),
  maxFailed: fc.constantFrom(0, 1, 3, Infinity),
  maxFailedPercent: fc.constantFrom(0, 25, 100, 100),
});

const NO_RESTARTS = {
  strategy: 'one_for_one',
  intensity: { maxRestarts: 0, withinMs: Infinity },
  onMemberFailure: 'continue',
} as const;

const itemOutcomes = fc.constantFrom<NodeScript>(
  { outcomes: ['ok'], maxAttempts: 1 },
  { outcomes: ['ok'], maxAttempts: 1 },
  { outcomes: ['ok'], maxAttempts: 1 },
  { outcomes: ['fail', 'ok'], maxAttempts: 2 },
  { outcomes: ['lost', 'ok'], maxAttempts: 1 },
  { outcomes: ['ok'], maxAttempts: 1, condition: true },
  { outcomes: ['ok'], maxAttempts: 1, condition: false },
  { outcomes: ['ok'], maxAttempts: 1, condition: 'error' },
  { outcomes: ['fail'], maxAttempts: 1 },
);

/** Nodes, maps of one node, and groups whose members are done for each item, over a random acyclic graph. */
function graphOf(size: number, seed: number): GraphNode[] {
  const random = lcg(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const nodes: GraphNode[] = [];
  for (let i = 0; i < size; i++) {
    const dependencies = new Set<string>();
    for (let k = below(3); k > 0 && i > 0; k--) dependencies.add(`n${below(i)}`);
    const kind = random();
    if (kind < 0.5) nodes.push({ id: `n${i}`, dependencies: [...dependencies] });
    else if (kind < 0.75) nodes.push({ id: `n${i}`, dependencies: [...dependencies], mapped: true });
    else {
      const count = 1 + below(3);
      const members = Array.from({ length: count }, (_, k) => `s${i}.${k}`);
      members.forEach((id, k) => {
        const inner = members.slice(0, k).filter(() => random() < 0.6);
        nodes.push({ id, dependencies: inner });
      });
      nodes.push({ id: `n${i}`, dependencies: [...dependencies], members, mapped: true });
    }
  }
  return nodes;
}

/** Random maps, what their items do, and how they are run. */
export function mapScripts(
  how: { failureMode?: Script['failureMode']; hopeful?: boolean } = {},
): fc.Arbitrary<MapScript> {
  return fc
    .record({ size: fc.integer({ min: 1, max: 8 }), seed: fc.integer() })
    .map(({ size, seed }) => compilePlan(graphOf(size, seed)))
    .filter((plan) => plan.maps.length > 0)
    .chain((plan) =>
      fc.record({
        plan: fc.constant(plan),
        items: fc.array(itemOutcomes, { minLength: 7, maxLength: 7 }),
        lengths: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 5, maxLength: 5 }),
        policies: fc.array(policies, { minLength: plan.maps.length, maxLength: plan.maps.length }),
        failureMode: fc.constantFrom('fail_fast' as const, 'continue' as const),
        badList: fc.integer({ min: 0, max: 20 }),
        linear: fc.boolean(),
        concurrency: fc.constantFrom(1, 3, 1000),
        seed: fc.integer(),
      }),
    )
    .map(({ policies: chosen, items, lengths, badList, ...script }) => ({
      ...script,
      retries: true,
      failureMode: how.failureMode ?? script.failureMode,
      concurrency: script.linear ? 1 : script.concurrency,
      maps: new Map(script.plan.maps.map(({ gate }, k) => [gate, chosen[k]])),
      groups: new Map(
        script.plan.maps.flatMap(({ group }, k) =>
          group < 0 ? [] : [[group, { ...NO_RESTARTS, maxConcurrency: chosen[k].maxConcurrency }] as const],
        ),
      ),
      nodes: Array.from({ length: script.plan.nodeCount }, (): NodeScript => ({
        outcomes: ['ok'],
        maxAttempts: 1,
      })),
      itemScript: (stage, item) => items[(stage * 3 + item) % items.length],
      listOf: (gate, runs) => {
        if (gate === badList)
          return { error: { name: 'MaestroError', code: 'MAP_LIST', message: 'no list' } };
        const length = lengths[(gate + runs) % lengths.length];
        // As long as only the number of runs changes by what the lists repeat after, they are the same.
        return { items: length, digest: `${gate}/${(gate + runs) % lengths.length}` };
      },
    }));
}
