import fc from 'fast-check';
import type { ExecutionDocument } from '../../src/runtime/types.js';
import { workflowFromSpec, type NodeSpec, type Workflow } from '../../src/spec/index.js';
import { dagArbitrary, lcg } from './random-dag.js';
import type { Fate } from './simulation.js';

const LARGE = 'x'.repeat(70_000);

export interface Script {
  workflow: Workflow;
  seed: number;
  slots: number;
  lossRate: number;
  /** How the first life ends: after so many commits, or never. */
  commits: number;
  fateOf: (nodeId: string, attempt: number) => Fate;
}

/** A node's place: it depends on nodes with lower ones only, also after edits. */
const placeOf = ({ id }: { id: string }): number => Number(id.slice(1));

const step = (id: string, dependencies: readonly string[], more: Partial<NodeSpec> = {}): NodeSpec => ({
  ...{ id, name: id, type: 'custom', run: 'true', dependencies: [...dependencies] },
  ...more,
});

export const workflowOf = (nodes: readonly NodeSpec[], onFailure: 'continue' | 'fail_fast'): Workflow =>
  workflowFromSpec({ workflow: { id: 'w', name: 'w', on_failure: onFailure }, nodes });

/** A random workflow in which nodes succeed, fail, are retried or skipped, and some outputs are large. */
export const scripts: fc.Arbitrary<Script> = fc
  .record({
    dag: dagArbitrary(16),
    seed: fc.integer(),
    onFailure: fc.constantFrom<'continue' | 'fail_fast'>('continue', 'fail_fast'),
    slots: fc.constantFrom(1, 3, 100),
    lossRate: fc.constantFrom(0, 0.2),
    commits: fc.oneof(fc.integer({ min: 2, max: 40 }), fc.constant(Infinity)),
  })
  .map(({ dag, seed, onFailure, ...rest }) => {
    const random = lcg(seed);
    const fates = new Map<string, Fate[]>();
    const nodes = dag.nodes.map(({ id, dependencies }) => {
      const attempts = [1, 2].map((): Fate => ({
        outcome: random() < 0.25 ? 'fail' : 'ok',
        durationMs: Math.floor(random() * 100),
        output: outputOf(id),
      }));
      fates.set(id, attempts);
      const rule = random();
      return step(id, dependencies, {
        ...(random() < 0.1 && { condition: String(random() < 0.5) }),
        ...(rule < 0.1 && dependencies.length > 0 && { trigger_rule: 'all_done' as const }),
        ...(rule > 0.9 && dependencies.length > 0 && { trigger_rule: 'one_failed' as const }),
        ...(random() < 0.5 && { retry_policy: { max_attempts: 2, retry_delay_seconds: 0.5 } }),
      });
    });
    const fateOf = (id: string, attempt: number): Fate => fates.get(id)![attempt - 1];
    return { ...rest, seed, fateOf, workflow: workflowOf(nodes, onFailure) };
  });

/** What a node gives, in every run; large for one in eight. */
export function outputOf(id: string): string {
  return JSON.stringify(id.endsWith('3') ? { id, text: LARGE } : { id });
}

export interface Edit {
  workflow: Workflow;
  added: readonly string[];
  removed: readonly string[];
  changed: readonly string[];
}

/** Whether a node has not begun, as its document tells it. */
export const isOpen = (document: ExecutionDocument, id: string): boolean => {
  const { status, start_time, metadata } = document.node_states[id];
  const isWaiting = status === 'pending' || status === 'blocked' || status === 'ready';
  return isWaiting && start_time === null && metadata.run === undefined;
};

/** Legal edits, many or few: what has begun stays, what has failed or not begun is changed, removed or moved; others are new. */
export function legalEdit(script: Script, document: ExecutionDocument): Edit {
  const { workflow } = script;
  const random = lcg(script.seed + 1);
  const { nodes, workflow: header } = workflow.spec;
  const open = new Set(nodes.map(({ id }) => id).filter((id) => isOpen(document, id)));
  const isFailed = (id: string): boolean => document.node_states[id].status === 'failed';
  const isFixed = ({ id }: NodeSpec): boolean => !open.has(id) && !isFailed(id);
  const needed = new Set(nodes.filter(isFixed).flatMap(({ dependencies = [] }) => dependencies));
  const removed = nodes.map(({ id }) => id).filter((id) => open.has(id) && !needed.has(id) && random() < 0.2);
  const kept = nodes.filter(({ id }) => !removed.includes(id));
  const added: NodeSpec[] = [];
  for (let k = Math.floor(random() * 4); k > 0; k--) {
    const place = Math.floor(random() * 17) + k / 10;
    const before = [...kept, ...added].filter((node) => placeOf(node) < place && random() < 0.3);
    added.push(
      step(
        `n${place}`,
        before.map(({ id }) => id),
      ),
    );
  }
  const changed: string[] = [];
  const edited = kept.map((node): NodeSpec => {
    if (isFixed(node)) return node;
    const { id, dependencies = [] } = node;
    const own = dependencies.filter((each) => !removed.includes(each) && (random() < 0.9 || !open.has(id)));
    const more = open.has(id)
      ? [...added, ...kept].filter((each) => placeOf(each) < placeOf(node) && random() < 0.1)
      : [];
    const next = [...new Set([...own, ...more.map((each) => each.id)])];
    const isSame = next.length === dependencies.length && next.every((each) => dependencies.includes(each));
    const run = random() < 0.5 ? 'false' : node.run;
    if (isSame && run === node.run) return node;
    changed.push(id);
    const { trigger_rule, ...rest } = node;
    const rule = next.length > 0 && trigger_rule !== undefined ? { trigger_rule } : {};
    return { ...rest, ...rule, dependencies: next, run };
  });
  const all = [...edited, ...added].map((node) => [random(), node] as const);
  const shuffled = all.sort(([a], [b]) => a - b).map(([, node]) => node);
  return {
    workflow: workflowOf(shuffled.length > 0 ? shuffled : [step('n99', [])], header.on_failure as 'continue'),
    added: shuffled.length > 0 ? added.map(({ id }) => id) : ['n99'],
    removed,
    changed,
  };
}
