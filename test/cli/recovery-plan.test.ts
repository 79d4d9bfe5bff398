import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recoveryPlan } from '../../src/cli/report/recovery-plan.js';
import { createRuntime, defineWorkflow, type Runtime, type Workflow } from '../../src/runtime/index.js';
import { dagArbitrary, lcg, type RandomDag } from '../support/random-dag.js';

const ID = 'planned';

/** A workflow whose steps do what the test says now. */
function workflowOf({ nodes }: RandomDag, step: (id: string) => unknown): Workflow {
  const builder = defineWorkflow<Record<string, unknown>>({ id: 'random' });
  // The builder wants dependencies first.
  const ordered = [...nodes].sort((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)));
  for (const { id, dependencies } of ordered)
    builder.node(id, { dependsOn: [...dependencies], execute: () => step(id) });
  return builder.build();
}

/** Plans, lets the recovery run, and compares: what ran is the plan, no node before an earlier group's. */
async function provePlan(
  runtime: Runtime,
  dag: RandomDag,
  workflow: Workflow,
  ran: string[],
  expected: 'resume' | 'retry',
): Promise<void> {
  const before = (await runtime.get(ID))!;
  const { plan, action, counts, total_nodes } = recoveryPlan(before, workflow.spec);
  expect(Object.values(counts).reduce((sum, n) => sum + n, 0)).toBe(total_nodes);
  if (before.status === 'completed') {
    expect([action, plan]).toEqual(['none', []]);
    return;
  }
  expect(action).toBe(expected);
  ran.length = 0;
  const options = { workflow };
  const execution = await (action === 'retry' ? runtime.retry(ID, options) : runtime.resume(ID, options));
  expect((await execution.result).status).toBe('completed');
  expect([...ran].sort()).toEqual(plan.flat().sort());
  const groupOf = new Map(plan.flatMap((group, i) => group.map((id) => [id, i] as const)));
  for (const { id, dependencies } of dag.nodes)
    for (const dependency of dependencies)
      if (groupOf.has(id) && groupOf.has(dependency))
        expect(groupOf.get(dependency)!).toBeLessThan(groupOf.get(id)!);
}

async function withRuntime(body: (runtime: Runtime) => Promise<void>): Promise<void> {
  const runtime = await createRuntime({ store: 'memory:', concurrency: 2 });
  try {
    await body(runtime);
  } finally {
    await runtime.close({ drainMs: 0 });
  }
}

describe('a recovery plan is what then runs', () => {
  it('when a failed execution is retried', async () => {
    await fc.assert(
      fc.asyncProperty(dagArbitrary(12), fc.integer(), async (dag, seed) => {
        await withRuntime(async (runtime) => {
          const random = lcg(seed);
          const broken = new Set(dag.nodes.filter(() => random() < 0.3).map(({ id }) => id));
          const ran: string[] = [];
          const workflow = workflowOf(dag, (id) => {
            ran.push(id);
            if (broken.delete(id)) throw new Error('no');
            return {};
          });
          const first = await runtime.start(workflow, {}, { executionId: ID });
          await first.result;
          // From here on everything succeeds.
          broken.clear();
          await provePlan(runtime, dag, workflow, ran, 'retry');
        });
      }),
      { numRuns: 60 },
    );
  });

  it('when a paused execution goes on', async () => {
    await fc.assert(
      fc.asyncProperty(dagArbitrary(12), fc.nat(11), async (dag, pauseAt) => {
        await withRuntime(async (runtime) => {
          const ran: string[] = [];
          let paused = false;
          const workflow = workflowOf(dag, async (id) => {
            ran.push(id);
            if (ran.length > pauseAt && !paused) {
              paused = true;
              await runtime.pause(ID);
            }
            return {};
          });
          const first = await runtime.start(workflow, {}, { executionId: ID });
          await first.result;
          paused = true;
          await provePlan(runtime, dag, workflow, ran, 'resume');
        });
      }),
      { numRuns: 60 },
    );
  });
});
