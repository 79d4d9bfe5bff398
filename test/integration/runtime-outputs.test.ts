import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defineWorkflow, type, type StepContext } from '../../src/runtime/index.js';
import { openStore } from '../../src/store/open.js';
import { collect, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();
const baseDir = join(import.meta.dirname, '../fixtures/steps');
const uses = (name: string) => `./runtime-steps.js#${name}`;

/** In characters of two bytes each: well over what travels in the journal. */
const LENGTH = 100_000;

function large(gate = new Gate()) {
  return defineWorkflow({ id: 'large' })
    .node('large', { uses: uses('large'), config: { length: LENGTH }, returns: type<{ text: string }>() })
    .node('gate', { dependsOn: ['large'], execute: () => gate.passed })
    .node('thread', { dependsOn: ['large', 'gate'], uses: uses('lengthOf') })
    .node('inline', {
      dependsOn: ['large', 'gate'],
      execute: ({ dependencyOutputs }) => dependencyOutputs.large.text.length,
    })
    .node('command', {
      dependsOn: ['large', 'gate'],
      run: `node -e "let t='';process.stdin.setEncoding('utf8').on('data',d=>t+=d).on('end',()=>console.log(JSON.stringify(JSON.parse(t).dependency_outputs.large.text.length)))"`,
    })
    .node('wanted', {
      dependsOn: ['large', 'gate'],
      condition: `outputs.large.wanted && size(outputs.large.text) == ${LENGTH}`,
      execute: async (step: StepContext) => ((await step.allOutputs()).large as { text: string }).text.length,
    })
    .build({ baseDir });
}

describe.each(storeKinds())('an output too large for the journal, on %s', (_, create) => {
  it('is reported, not taken for null, when the store has lost it', async () => {
    const place = create()();
    const runtime = await open({ store: place });
    const workflow = defineWorkflow({ id: 'lost' })
      .node('large', { uses: uses('large'), config: { length: LENGTH } })
      .build({ baseDir });
    const { id, result } = await runtime.start(workflow);
    await result;
    await runtime.close();
    const store = await openStore(place);
    await store.commit([{ op: 'del', key: store.putOutput(id, 0, 0, '').key }]);
    await store.close();
    const next = await open({ store: place });
    await expect(next.get(id)).rejects.toMatchObject({
      code: 'RECORD_CORRUPT',
      message: expect.stringContaining('"large"'),
    });
  });

  it.each(['sync', 'async', 'exit'] as const)('reaches everyone who needs it (%s)', async (durability) => {
    const gate = new Gate();
    gate.open();
    const runtime = await open({ store: create()(), durability });
    const { id, result } = await runtime.start(large(gate));
    expect((await result).status).toBe('completed');
    const { node_outputs, node_states } = (await runtime.get(id))!;
    expect(node_outputs).toMatchObject({ thread: LENGTH, inline: LENGTH, command: LENGTH, wanted: LENGTH });
    expect((node_outputs.large as { text: string }).text).toHaveLength(LENGTH);
    expect(node_states.large.output).toEqual(node_outputs.large);
    const events = await collect(runtime.events(id));
    const completed = events.find((e) => e.event_type === 'node_completed' && e.node_id === 'large')!;
    expect(completed.data).toMatchObject({ output: null });
    expect(completed.data.output_size_bytes).toBeGreaterThan(2 * LENGTH);
  });

  it('is still there after its runtime has gone', async () => {
    const place = create()();
    const gate = new Gate();
    const first = await open({ store: place });
    const { id } = await first.start(large(gate));
    await until(
      async () => (await first.get(id))!.node_states.gate.status === 'running',
      'the gate is reached',
    );
    expect((await first.get(id))!.node_outputs.large).toMatchObject({ wanted: true });
    await first.close({ drainMs: 0 });
    gate.open();
    const workflow = large(gate);
    const second = await open({ store: place, workflows: [workflow] });
    expect(second.recovered).toEqual([{ executionId: id }]);
    expect((await (await second.resume(id)).result).status).toBe('completed');
    const { node_outputs, node_states } = (await second.get(id))!;
    expect(node_outputs).toMatchObject({ thread: LENGTH, inline: LENGTH, command: LENGTH, wanted: LENGTH });
    expect(node_states.large.attempt_count).toBe(1);
  });
});

describe('a step', () => {
  it('gets a large global context, wherever it runs, and when it runs again', async () => {
    const runtime = await open();
    let failures = 1;
    const size = `node -e "let t='';process.stdin.on('data',d=>t+=d).on('end',()=>console.log(JSON.parse(t).global_context.text.length))"`;
    const workflow = defineWorkflow({ id: 'context' })
      .node('thread', { uses: uses('contextSize') })
      .node('again', { dependsOn: ['thread'], uses: uses('contextSize') })
      .node('inline', {
        retry: { maxAttempts: 2, delaySeconds: 0 },
        execute: ({ globalContext }) => {
          if (failures-- > 0) throw new Error('once');
          return (globalContext.text as string).length;
        },
      })
      .node('command', { run: size })
      .build({ baseDir });
    // Two executions at once: the workers' copies must not be mixed up.
    const sizes = [5_000, 1_000_000];
    const executions = await Promise.all(sizes.map((n) => runtime.start(workflow, { text: 'x'.repeat(n) })));
    for (const [i, { id, result }] of executions.entries()) {
      expect(await result).toMatchObject({ status: 'completed' });
      const n = sizes[i];
      expect((await runtime.get(id))!.node_outputs).toEqual({ thread: n, again: n, inline: n, command: n });
    }
  });

  it('can ask for all outputs and artifacts so far, and is given those of its dependencies', async () => {
    const runtime = await open();
    const workflow = defineWorkflow({ id: 'artifacts' })
      .node('inline', {
        execute: ({ artifactDir }) => (
          writeFileSync(join(artifactDir(), 'i.txt'), ''),
          { artifacts: ['i.txt'] }
        ),
      })
      .node('thread', { dependsOn: ['inline'], uses: uses('artifacts') })
      .node('command', {
        dependsOn: ['thread'],
        run: `: > "$MAESTRO_ARTIFACT_DIR/c.txt"; echo '{"artifacts":["c.txt"],"n":1}'`,
      })
      .node('skipped', { dependsOn: ['command'], condition: 'false', execute: () => 1 })
      .node('direct', { dependsOn: ['command'], uses: uses('dependencyArtifacts') })
      .node('all', { dependsOn: ['direct'], uses: uses('everything') })
      .build({ baseDir });
    const { id, result } = await runtime.start(workflow);
    expect((await result).status).toBe('completed');
    const { artifacts, node_outputs, node_states } = (await runtime.get(id))!;
    const files = { inline: ['i.txt'], thread: ['thread/a.txt', 'thread/b.txt'], command: ['c.txt'] };
    expect(artifacts).toEqual(files);
    expect(node_states.thread.artifacts).toEqual(files.thread);
    expect(node_outputs.direct).toEqual({ command: files.command });
    const outputs: Record<string, unknown> = { ...node_outputs };
    delete outputs.all;
    expect(node_outputs.all).toEqual({ outputs, files: { ...files, direct: [] } });
  });

  it('may have an id that is special in JavaScript', async () => {
    const runtime = await open();
    const workflow = defineWorkflow<Record<string, number>>({ id: 'toString' })
      .node('hasOwnProperty', { execute: () => 1 })
      .node('toString', {
        dependsOn: ['hasOwnProperty'],
        condition: `outputs['hasOwnProperty'] == 1`,
        execute: ({ dependencyOutputs }) => dependencyOutputs.hasOwnProperty + 1,
      })
      .build();
    const { id, result } = await runtime.start(
      workflow,
      JSON.parse('{"__proto__":{"x":1}}') as object as never,
    );
    expect(await result).toMatchObject({ status: 'completed', workflow_id: 'toString' });
    const document = (await runtime.get(id))!;
    expect({ ...document.node_outputs }).toEqual({ hasOwnProperty: 1, toString: 2 });
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it('that returns nothing has the output null', async () => {
    const runtime = await open();
    const workflow = defineWorkflow({ id: 'nothing' })
      .node('n', { execute: () => undefined })
      .build();
    const { id, result } = await runtime.start(workflow);
    await result;
    expect((await runtime.get(id))!.node_outputs).toEqual({ n: null });
  });

  it('that returns too much fails, and says so', async () => {
    const runtime = await open({ pool: { maxOutputBytes: 1000 } });
    const workflow = defineWorkflow({ id: 'too-much', onFailure: 'continue' })
      .node('thread', { uses: uses('large'), config: { length: 1000 } })
      .node('inline', { execute: () => 'x'.repeat(1001) })
      .node('bigint', { execute: () => 1n })
      .build({ baseDir });
    const { id, result } = await runtime.start(workflow);
    expect((await result).status).toBe('failed');
    const { node_states } = (await runtime.get(id))!;
    const code = (node: string) => (node_states[node].metadata.error as { code: string }).code;
    expect(['thread', 'inline', 'bigint'].map(code)).toEqual([
      ...['OUTPUT_TOO_LARGE', 'OUTPUT_TOO_LARGE', 'OUTPUT_NOT_SERIALIZABLE'],
    ]);
  });
});
