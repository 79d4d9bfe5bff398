import { expect, it } from 'vitest';
import { workflowFromSpec } from '../../src/spec/index.js';
import { decodeRecord } from '../../src/store/record-codec.js';
import { quietWorld, succeeds, workflowOf } from './quiet-world.js';

/** What seeds have found of requests that meet others, or damage. */

it('answers that wait in the inbox beside a cancellation and a rerun are kept for what runs later', async () => {
  const answer = { id: 'answer', run: undefined, wait_for: { signal: 's' }, dependencies: ['before'] };
  const workflow = workflowOf({ id: 'again' }, { id: 'before' }, answer);
  const lastsMs = { again: 10, before: Infinity };
  const { boot, during, pass } = quietWorld(workflow, (id) => succeeds(lastsMs[id as 'again' | 'before']));
  const owner = (await boot()).runtime!;
  const other = (await boot()).runtime!;
  await during(owner.start(workflow, {}, { executionId: 'e' }));
  await pass(50);
  lastsMs.again = 1_000;
  const asked = [other.cancel('e'), other.signal('e', 's', 7), other.rerun('e', 'again')];
  await during(Promise.all<unknown>(asked));
  await pass(3_000);
  expect(await owner.get('e')).toMatchObject({ node_states: { again: { status: 'completed' } } });
  lastsMs.before = 10;
  await during(owner.rerun('e', 'before'));
  await pass(100);
  const document = await owner.get('e');
  expect(document!.node_states.answer).toMatchObject({ status: 'completed', output: 7 });
});

it('what was taken over and could not be brought in is nobody’s again', async () => {
  const workflow = workflowOf({}, { dependencies: ['n0'] });
  const owners: (string | null)[] = [];
  const { boot, during, damage } = quietWorld(
    workflow,
    () => succeeds(10),
    {},
    (ops) => {
      for (const op of ops)
        if (op.op === 'put' && op.key === 'x/e/r') owners.push(decodeRecord('e', op.value).ownerId);
    },
  );
  const { runtime } = await boot();
  const { result } = await during(runtime!.start(workflow, {}, { executionId: 'e' }));
  await during(runtime!.pause('e'));
  await during(result);
  await damage('x/e/j/000000000000');
  for (const asked of [() => runtime!.cancel('e'), () => runtime!.resume('e')]) {
    await expect(during<unknown>(asked())).rejects.toMatchObject({ code: 'RECORD_CORRUPT' });
    expect(owners.slice(-2)).toEqual([expect.any(String), null]);
  }
});

it('what has ended is not collected while its child is still at its end, in the hands of another process', async () => {
  const child = workflowFromSpec({
    workflow: { id: 'c', name: 'c', compensate: 'always' },
    nodes: [
      { id: 'done', name: 'done', type: 'custom', run: 'x', compensate: { run: 'undo' } },
      { id: 'hangs', name: 'hangs', type: 'custom', run: 'x', dependencies: ['done'] },
    ],
  });
  const workflow = workflowFromSpec({
    workflow: { id: 'p', name: 'p', timeout_seconds: 1 },
    nodes: [{ id: 'child', name: 'child', type: 'subworkflow', definition: child.definitionHash }],
    subworkflows: { [child.definitionHash]: child.spec },
  });
  const lastsMs: Record<string, number> = { done: 10, hangs: Infinity, 'compensate:done': 10_000 };
  const { boot, during, pass } = quietWorld(workflow, (id) => succeeds(lastsMs[id]));
  const owner = (await boot()).runtime!;
  const other = (await boot()).runtime!;
  const { result } = await during(owner.start(workflow, {}, { executionId: 'e' }));
  expect(await during(result)).toMatchObject({ status: 'failed' });
  await pass(3_000);
  expect(await during(other.collect({ olderThanMs: 0 }))).toMatchObject({ deleted: [] });
  await expect(during(other.delete('e'))).rejects.toMatchObject({ code: 'EXECUTION_OWNED' });
  await pass(20_000);
  expect(owner.failure).toBeUndefined();
  expect(await during(other.collect({ olderThanMs: 0 }))).toMatchObject({ deleted: ['e'] });
});
