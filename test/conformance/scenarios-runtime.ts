import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import {
  createRuntime,
  defineWorkflow,
  openKv,
  type ExecutionDocument,
  type Kv,
  type StepContext,
} from '../../src/runtime/index.js';
import type { Runtime, Workflow } from '../../src/runtime/index.js';
import { openStore } from '../../src/store/open.js';

/** A step that goes on when it is told to. */
function gate(): { passed: Promise<void>; open: () => void } {
  let open!: () => void;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open };
}

/** A step that writes these files and returns them. */
function writing(...artifacts: string[]) {
  return ({ artifactDir }: Pick<StepContext, 'artifactDir'>) => {
    for (const name of artifacts) writeFileSync(join(artifactDir(), name), name);
    return { artifacts };
  };
}

async function withRuntime(use: (runtime: Runtime, store: Kv) => Promise<void>): Promise<void> {
  const store = await openKv('memory:');
  const artifactRoot = mkdtempSync(join(tmpdir(), 'maestro-scenario-'));
  const runtime = await createRuntime({ store, artifactRoot });
  try {
    await use(runtime, store);
  } finally {
    await runtime.close({ drainMs: 0 });
    rmSync(artifactRoot, { recursive: true });
  }
}

/** Runs a workflow to its end and gives its document. */
async function run(workflow: Workflow): Promise<ExecutionDocument> {
  let document: ExecutionDocument | undefined;
  await withRuntime(async (runtime) => {
    const { id, result } = await runtime.start(workflow);
    await result;
    document = await runtime.get(id);
  });
  return document!;
}

const single = (id: string, output: unknown): Workflow =>
  defineWorkflow({ id })
    .node('n', { execute: () => output })
    .build();

/** The scenarios about an execution's document, by id. */
const CONTEXT_SCENARIOS: Record<string, () => Promise<void>> = {
  MS09: () =>
    withRuntime(async (runtime) => {
      const { passed, open } = gate();
      const workflow = defineWorkflow({ id: 'wf' })
        .node('n', { execute: () => passed })
        .build();
      const { id } = await runtime.start(workflow);
      const document = (await runtime.get(id))!;
      expect(document).toMatchObject({ workflow_id: 'wf', execution_id: id, completed_nodes: 0 });
      // Ours lists every node from the start: none of them has a state that says it has ended.
      expect(Object.values(document.node_states).every(({ end_time }) => end_time === null)).toBe(true);
      expect(Object.keys(document.node_outputs)).toEqual([]);
      open();
    }),
  MS10: () =>
    withRuntime(async (runtime) => {
      const [begun, end] = [gate(), gate()];
      const execute = (): Promise<void> => (begun.open(), end.passed);
      const { id } = await runtime.start(defineWorkflow({ id: 'wf' }).node('n', { execute }).build());
      await begun.passed;
      await expect
        .poll(async () => (await runtime.get(id))!.node_states.n)
        .toMatchObject({ node_id: 'n', status: 'running' });
      end.open();
    }),
  async MS11() {
    const output = { result: 'success', nested: { data: [1, 2, 'three'] } };
    expect((await run(single('wf', output))).node_outputs.n).toEqual(output);
  },
  async MS12() {
    let given: object = {};
    const workflow = defineWorkflow({ id: 'wf' })
      .node('1', { execute: () => 'one' })
      .node('2', { execute: () => 'two' })
      .node('3', { execute: () => 'three' })
      .node('4', { dependsOn: ['1', '2'], execute: ({ dependencyOutputs }) => (given = dependencyOutputs) })
      .build();
    expect(await run(workflow)).toMatchObject({ status: 'completed', completed_nodes: 4 });
    expect(given).toEqual({ 1: 'one', 2: 'two' });
  },
  async MS13() {
    const workflow = defineWorkflow({ id: 'wf' })
      .node('1', { execute: writing('a.txt', 'b.txt') })
      .node('2', { execute: writing('c.txt') })
      .build();
    const { artifacts, node_states } = await run(workflow);
    expect(node_states['1'].artifacts).toEqual(['a.txt', 'b.txt']);
    expect({ ...artifacts }).toEqual({ 1: ['a.txt', 'b.txt'], 2: ['c.txt'] });
  },
  MS14: () =>
    withRuntime(async (runtime) => {
      const { passed, open } = gate();
      const workflow = defineWorkflow({ id: 'wf' })
        .node('1', { execute: () => 1 })
        .node('2', { execute: () => passed })
        .node('3', { execute: () => 3 })
        .build();
      const { id } = await runtime.start(workflow);
      await expect.poll(async () => (await runtime.get(id))!.completed_nodes).toBe(2);
      const { node_states } = (await runtime.get(id))!;
      const completed = Object.values(node_states).filter(({ status }) => status === 'completed');
      expect(completed.map(({ node_id }) => node_id)).toEqual(['1', '3']);
      expect(node_states['2'].status).toBe('running');
      open();
    }),
  async MS15() {
    const document = await run(
      defineWorkflow({ id: 'wf' })
        .node('n', { execute: writing('a.txt') })
        .build(),
    );
    const again = JSON.parse(JSON.stringify(document)) as ExecutionDocument;
    expect(again).toMatchObject({ workflow_id: 'wf', execution_id: document.execution_id });
    expect(Object.values(again.node_states)).toMatchObject([{ node_id: 'n', status: 'completed' }]);
    expect(again.node_outputs).toEqual({ n: { artifacts: ['a.txt'] } });
    expect(again.artifacts).toEqual({ n: ['a.txt'] });
  },
};

/** The scenarios about running, by id. */
const EXECUTOR_SCENARIOS: Record<string, () => Promise<void>> = {
  async MS16() {
    const workflow = defineWorkflow({ id: 'wf' })
      .node('1', { execute: () => ({ value: 1 }) })
      .node('2', {
        dependsOn: ['1'],
        execute: ({ dependencyOutputs }) => ({ value: dependencyOutputs['1'].value + 1 }),
      })
      .build();
    const { completed_nodes, node_outputs } = await run(workflow);
    expect(completed_nodes).toBe(2);
    expect({ ...node_outputs }).toEqual({ 1: { value: 1 }, 2: { value: 2 } });
  },
  async MS17() {
    const intervals = new Map<string, { start: number; end: number }>();
    const logged = (ms: number) => async (step: { nodeId: string }) => {
      const start = performance.now();
      await delay(ms);
      intervals.set(step.nodeId, { start, end: performance.now() });
    };
    const workflow = defineWorkflow({ id: 'diamond' })
      .node('1', { execute: logged(100) })
      .node('2', { dependsOn: ['1'], execute: logged(100) })
      .node('3', { dependsOn: ['1'], execute: logged(100) })
      .node('4', { dependsOn: ['2', '3'], execute: logged(50) })
      .build();
    expect((await run(workflow)).completed_nodes).toBe(4);
    const [second, third] = ['2', '3'].map((id) => intervals.get(id)!);
    expect(Math.max(second.start, third.start)).toBeLessThan(Math.min(second.end, third.end));
  },
  async MS18() {
    let calls = 0;
    const workflow = defineWorkflow({ id: 'wf' })
      .node('n', {
        retry: { maxAttempts: 3, delaySeconds: 0.1 },
        execute: () => {
          if (++calls < 3) throw new Error(`attempt ${calls} fails`);
          return 'success';
        },
      })
      .build();
    expect((await run(workflow)).node_states.n).toMatchObject({ status: 'completed', attempt_count: 3 });
    expect(calls).toBe(3);
  },
  async MS19() {
    const execute = () => null;
    const workflow = defineWorkflow({ id: 'wf' })
      .node('1', { execute: () => ({ run_node_2: false, run_node_3: true }) })
      .node('2', { dependsOn: ['1'], condition: `outputs['1']['run_node_2']`, execute })
      .node('3', { dependsOn: ['1'], condition: `outputs['1']['run_node_3'] == true`, execute })
      .build();
    const { node_states } = await run(workflow);
    expect(Object.values(node_states).map(({ status }) => status)).toEqual([
      'completed',
      'skipped',
      'completed',
    ]);
  },
};

/** The scenarios about stored executions, by id. */
const STORE_SCENARIOS: Record<string, () => Promise<void>> = {
  MS26: () =>
    withRuntime(async (runtime) => {
      const { id, result } = await runtime.start(single('wf', { result: 42 }));
      await result;
      const document = (await runtime.get(id))!;
      expect(document.execution_id).toBe(id);
      expect(document.node_outputs.n).toEqual({ result: 42 });
    }),
  MS27: () =>
    withRuntime(async (runtime) => {
      for (const id of ['wf1', 'wf1', 'wf2']) await (await runtime.start(single(id, null))).result;
      expect((await runtime.list()).records).toHaveLength(3);
      expect((await runtime.list({ workflowId: 'wf1' })).records).toHaveLength(2);
    }),
  MS28: () =>
    withRuntime(async (runtime, kv) => {
      const { id, result } = await runtime.start(single('wf', null));
      await result;
      expect(await (await openStore(kv)).delete(id)).toBe(true);
      expect(await runtime.get(id)).toBeUndefined();
    }),
};

export const RUNTIME_SCENARIOS = { ...CONTEXT_SCENARIOS, ...EXECUTOR_SCENARIOS, ...STORE_SCENARIOS };
