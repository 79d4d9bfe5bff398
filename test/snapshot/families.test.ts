import { describe, expect, it } from 'vitest';
import { createRuntime } from '../../src/runtime/create-runtime.js';
import { defineWorkflow, type ExecutionDocument, type Kv, type Workflow } from '../../src/runtime/index.js';
import { exportSnapshot, importSnapshot, type Collision } from '../../src/snapshot/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { outliving } from '../support/outliving-kv.js';

const IDS = ['p', 'p+sub.0.1', 'p+sub.0.1+sub.0.1'];
const renamed = (id: string): string => id.replace(/^p/, 'p-2');

/** Three levels; the innermost is paused by a gate when it is asked to. */
function levels(count: { work: number }, isPaused = false) {
  let pass!: () => void;
  let begin!: () => void;
  const gate = new Promise<void>((resolve) => (pass = resolve));
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const child = defineWorkflow({ id: 'child' })
    .node('work', { execute: () => (count.work++, begin(), isPaused ? gate : null) })
    .node('more', { dependsOn: ['work'], execute: () => 'more' })
    .build();
  const around = (workflow: Workflow, id: string): Workflow =>
    defineWorkflow({ id }).node('sub', { workflow }).build();
  return { workflow: around(around(child, 'middle'), 'parent'), pass, begun };
}

/** A store with a family that has ended, or is paused in the middle. */
async function family(isPaused = false, count = { work: 0 }): Promise<Kv> {
  const kv = outliving(new MemoryKv());
  const runtime = await createRuntime({ store: kv });
  const { workflow, pass, begun } = levels(count, isPaused);
  const { result } = await runtime.start(workflow, {}, { executionId: 'p' });
  await begun;
  if (isPaused) await runtime.pause('p');
  pass();
  await result;
  await runtime.close();
  return kv;
}

async function exported(kv: Kv, children?: boolean): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of exportSnapshot(kv, { executionIds: ['p'], children }))
    lines.push(line.slice(0, -1));
  return lines;
}

const put = (kv: Kv, lines: readonly string[], onCollision?: Collision) =>
  importSnapshot(
    kv,
    async function* () {
      yield* await Promise.resolve(lines);
    },
    { onCollision },
  );

async function documents(kv: Kv, ids: readonly string[]): Promise<(ExecutionDocument | undefined)[]> {
  const runtime = await createRuntime({ store: kv, recover: false });
  const found = await Promise.all(ids.map((id) => runtime.get(id)));
  await runtime.close();
  return found;
}

describe('an export of a parent', () => {
  it('takes its children and theirs along, linked as they were', async () => {
    const from = await family();
    const into = outliving(new MemoryKv());
    expect(await put(into, await exported(from))).toEqual({ imported: IDS, skipped: [], renamed: {} });
    expect(await documents(into, IDS)).toEqual(await documents(from, IDS));
  });

  it('does not when it is told not to', async () => {
    const into = outliving(new MemoryKv());
    expect((await put(into, await exported(await family(), false))).imported).toEqual(['p']);
    const [parent] = await documents(into, ['p']);
    expect(parent!.children).toEqual([]);
  });

  it('becomes a second family, linked likewise, when ids are taken', async () => {
    const kv = await family();
    const report = await put(kv, await exported(kv), 'rename');
    expect(report.renamed).toEqual(Object.fromEntries(IDS.map((id) => [id, renamed(id)])));
    const found = await documents(kv, IDS.map(renamed));
    const text = JSON.stringify(await documents(kv, IDS)).replaceAll(/"p(?=["+])/g, '"p-2');
    expect(found).toEqual(JSON.parse(text));
  });

  it.each([false, true])('goes on with the children that it had (renamed: %s)', async (isRenamed) => {
    const from = await family(true);
    const lines = await exported(from);
    const into = isRenamed ? from : outliving(new MemoryKv());
    await put(into, lines, 'rename');
    const ids = isRenamed ? IDS.map(renamed) : IDS;
    const count = { work: 0 };
    const runtime = await createRuntime({ store: into, recover: false });
    const { workflow } = levels(count);
    const resumed = await runtime.resume(ids[0], { workflow });
    expect((await resumed.result).status).toBe('completed');
    await runtime.close();
    expect(count.work).toBe(0);
    const found = await documents(into, ids);
    expect(found.map((each) => each?.status)).toEqual(['completed', 'completed', 'completed']);
    expect(found[0]!.children!.map(({ execution_id }) => execution_id)).toEqual([ids[1]]);
  });

  it('replaces the family that is there, with what only that had started', async () => {
    const from = await family();
    const into = await family();
    const lines = await exported(from, false);
    expect((await put(into, lines, 'replace')).imported).toEqual(['p']);
    const found = await documents(into, IDS);
    expect(found.map((each) => each?.execution_id)).toEqual(['p', undefined, undefined]);
  });
});
