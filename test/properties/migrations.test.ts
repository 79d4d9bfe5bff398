import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExecutionEvent } from '../../src/observe/events.js';
import type { ExecutionDocument, Runtime } from '../../src/runtime/types.js';
import { exportSnapshot, importSnapshot, verifyStore } from '../../src/snapshot/index.js';
import { isSameDefinition, type NodeSpec, type Workflow } from '../../src/spec/index.js';
import type { Kv } from '../../src/store/kv.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { openStore } from '../../src/store/open.js';
import { contentsOf } from '../support/store-fixtures.js';
import {
  isOpen,
  legalEdit,
  outputOf,
  scripts,
  workflowOf,
  type Script,
} from '../support/migration-scripts.js';
import { outliving } from '../support/outliving-kv.js';
import { buryOwners, crashing, quiet, simulate } from '../support/simulation.js';

let lives = 0;

/** A life of the process in which every step succeeds. */
const healthy = (script: Script, kv: Kv, workflow: Workflow) =>
  simulate(kv, {
    ...script,
    workflows: [workflow],
    lossRate: 0,
    // Each is another process.
    seed: script.seed + ++lives,
    fateOf: (id) => ({ outcome: 'ok', durationMs: 5, output: outputOf(id) }),
  });

/** The first life: the execution fails, completes, or its process dies. */
async function firstLife(script: Script): Promise<MemoryKv> {
  const kv = new MemoryKv();
  await openStore(kv);
  const store = crashing(kv, script.commits, true);
  const { runtime, clock } = await simulate(store, { ...script, workflows: [script.workflow] });
  const live = (async () => {
    await (
      await runtime.start(script.workflow, {}, { executionId: 'e' })
    ).result;
    await runtime.close();
  })();
  await clock.run(Promise.race([store.dead, live]));
  await quiet();
  await buryOwners(kv);
  return kv;
}

async function eventsOf(runtime: Runtime): Promise<ExecutionEvent[]> {
  const events: ExecutionEvent[] = [];
  for await (const event of runtime.events('e')) events.push(event);
  return events;
}

async function expectSound(kv: Kv): Promise<void> {
  expect((await verifyStore(outliving(kv))).damage).toEqual([]);
}

/** Goes on until the execution has ended well: what had failed is retried. */
async function toEnd(runtime: Runtime): Promise<void> {
  for (let left = 3; left > 0; left--) {
    const { status } = (await runtime.get('e'))!;
    if (status === 'completed') return;
    await (
      await (status === 'failed' ? runtime.retry('e') : runtime.resume('e'))
    ).result;
  }
}

const begun = (document: ExecutionDocument): string[] =>
  Object.keys(document.node_states).filter((id) => !isOpen(document, id));
const done = (document: ExecutionDocument): string[] =>
  Object.values(document.node_states)
    .filter(({ status }) => status === 'completed' || status === 'skipped')
    .map(({ node_id }) => node_id);

describe('an execution that goes on under another definition', () => {
  it('keeps what has begun, runs what is new, in order, and repeats nothing', async () => {
    let migrations = 0;
    const property = fc.asyncProperty(scripts, async (script) => {
      const kv = await firstLife(script);
      const first = await healthy(script, kv, script.workflow);
      const before = await first.runtime.get('e');
      if (before === undefined || before.status === 'completed') return;
      const past = await eventsOf(first.runtime);
      const replayed = await first.runtime.replay('e');
      const edit = legalEdit(script, before);
      const { workflow } = edit;
      const dry = await first.runtime.migrate('e', workflow, { dryRun: true });
      expect(dry).toMatchObject({ allowed: true, migrated: false, refusals: [] });
      const told = await first.runtime.migrate('e', workflow);
      expect(told.difference).toEqual(dry.difference);
      if (isSameDefinition(dry.difference)) return;
      migrations++;
      expect(told).toMatchObject({ allowed: true, migrated: true });
      expect([...told.difference.added].sort()).toEqual([...edit.added].sort());
      expect(told.difference.removed).toEqual(edit.removed);
      expect(told.difference.changed.map(({ node_id }) => node_id)).toEqual(edit.changed);

      // What has begun is as it was, whoever looks and wherever from.
      await expectSound(kv);
      const after = (await first.runtime.get('e'))!;
      for (const id of begun(before)) {
        if (after.node_states[id].metadata.run !== before.node_states[id].metadata.run) {
          expect(before.node_states[id].metadata.retry_at).toBeDefined();
          continue;
        }
        // A node that outlasts failures may have run because of one that is open again.
        const { inputs_outdated: _, ...now } = after.node_states[id].metadata;
        const { metadata: then } = before.node_states[id];
        // It tells what the definition says of the node, too: of what has failed, and is another one, it says other things.
        const metadata = edit.changed.includes(id) ? then : now;
        expect({ ...after.node_states[id], metadata }).toEqual(before.node_states[id]);
        expect(after.node_outputs[id]).toEqual(before.node_outputs[id]);
      }
      const history = await eventsOf(first.runtime);
      expect(history.slice(0, past.length)).toEqual(past);
      expect(history[past.length]).toMatchObject({
        event_type: 'workflow_migrated',
        data: { added: told.difference.added, removed: edit.removed, changed: edit.changed },
      });
      const then = await first.runtime.replay('e', replayed.total_changes);
      expect(then.node_states).toEqual(replayed.node_states);
      expect(then.node_outputs).toEqual(replayed.node_outputs);
      expect((await first.runtime.replay('e')).node_states).toEqual(after.node_states);
      const lines: string[] = [];
      for await (const line of exportSnapshot(outliving(kv))) lines.push(line);
      const copy = new MemoryKv();
      await importSnapshot(outliving(copy), async function* () {
        for (const line of lines) yield await Promise.resolve(line.trimEnd());
      });
      await expectSound(copy);
      const other = await healthy(script, copy, workflow);
      expect((await other.runtime.get('e'))!.node_states).toEqual(after.node_states);
      expect(await eventsOf(other.runtime)).toEqual(history);

      for (const store of [kv, copy]) {
        const last = await healthy(script, store, workflow);
        await last.clock.run(toEnd(last.runtime));
        const end = (await last.runtime.get('e'))!;
        expect(end.status).toBe('completed');
        const dispatched = last.pool.dispatched.map(({ call }) => call);
        for (const id of done(after)) expect(dispatched.map(({ nodeId }) => nodeId)).not.toContain(id);
        expect(Object.keys(end.node_states).sort()).toEqual(workflow.spec.nodes.map(({ id }) => id).sort());
        for (const { status } of Object.values(end.node_states))
          expect(['completed', 'skipped']).toContain(status);
        const deps = new Map(workflow.spec.nodes.map(({ id, dependencies = [] }) => [id, dependencies]));
        for (const { nodeId, dependencyOutputs } of dispatched) {
          const inputs = JSON.parse(dependencyOutputs) as Record<string, unknown>;
          for (const [id, output] of Object.entries(inputs)) {
            expect(deps.get(nodeId)).toContain(id);
            expect(JSON.stringify(output)).toBe(outputOf(id));
          }
        }
        for (const [id, output] of Object.entries(end.node_outputs))
          expect(JSON.stringify(output)).toBe(outputOf(id));
        const ended = new Set(done(after));
        for (const { event_type, node_id = '' } of (await eventsOf(last.runtime)).slice(history.length)) {
          if (event_type === 'node_started')
            for (const id of deps.get(node_id)!) {
              const isDecided = ended.has(id) || end.node_states[node_id].metadata.trigger_rule !== undefined;
              expect(isDecided).toBe(true);
            }
          if (event_type === 'node_completed' || event_type === 'node_skipped') ended.add(node_id);
        }
        await expectSound(store);
      }
    });
    await fc.assert(property, { numRuns: 150 });
    expect(migrations).toBeGreaterThan(50);
  }, 120_000);

  it('is refused, with nothing changed, when anything that has begun would not be what it was', async () => {
    let refusals = 0;
    const property = fc.asyncProperty(scripts, fc.nat(2), async (script, how) => {
      const kv = await firstLife(script);
      const { runtime } = await healthy(script, kv, script.workflow);
      const before = await runtime.get('e');
      if (before === undefined || before.status === 'completed') return;
      const fixed = done(before);
      if (fixed.length === 0) return;
      const { nodes, workflow } = legalEdit(script, before).workflow.spec;
      const victim = fixed[Math.abs(script.seed) % fixed.length];
      const spoiled = nodes.flatMap((node): NodeSpec[] => {
        const dependencies = (node.dependencies ?? []).filter((id) => how !== 0 || id !== victim);
        const { trigger_rule, ...rest } = node;
        // The rule goes with the last dependency.
        const rule = dependencies.length > 0 && trigger_rule !== undefined ? { trigger_rule } : {};
        if (node.id !== victim) return [{ ...rest, ...rule, dependencies }];
        if (how === 0) return [];
        return how === 1
          ? [{ ...node, run: 'exit 1' }]
          : [{ ...node, dependencies: [...dependencies, 'n999'] }];
      });
      if (how === 2) spoiled.push({ id: 'n999', name: 'n999', type: 'custom', run: 'true' });
      if (spoiled.length === 0) return;
      const other = workflowOf(spoiled, workflow.on_failure as 'continue');
      const contents = await contentsOf(kv);
      await expect(runtime.migrate('e', other)).rejects.toMatchObject({ code: 'MIGRATION_REFUSED' });
      const { allowed, nodes: verdicts } = await runtime.migrate('e', other, { dryRun: true });
      expect(allowed).toBe(false);
      expect(verdicts).toContainEqual(expect.objectContaining({ node_id: victim, allowed: false }));
      expect(await contentsOf(kv)).toEqual(contents);
      refusals++;
    });
    await fc.assert(property, { numRuns: 60 });
    expect(refusals).toBeGreaterThan(15);
  }, 120_000);

  it('has the one or the other definition, whole, after a crash at any commit', async () => {
    const arbitrary = fc.record({
      script: scripts,
      crashes: fc.array(fc.record({ commits: fc.nat({ max: 12 }), applyLast: fc.boolean() }), {
        minLength: 1,
        maxLength: 3,
      }),
    });
    const property = fc.asyncProperty(arbitrary, async ({ script, crashes }) => {
      const kv = await firstLife(script);
      const look = await healthy(script, kv, script.workflow);
      const before = await look.runtime.get('e');
      if (before === undefined || before.status === 'completed') return;
      const { workflow } = legalEdit(script, before);
      const completed = new Set(done(before));
      for (const { commits, applyLast } of crashes) {
        const store = crashing(kv, commits, applyLast);
        const { runtime, clock, pool } = await healthy(script, store, workflow);
        const live = (async () => {
          if ((await runtime.get('e'))!.status === 'completed') return;
          await runtime.migrate('e', workflow);
          await toEnd(runtime);
        })();
        await clock.run(Promise.race([store.dead, live]));
        await quiet();
        for (const { call } of pool.dispatched) expect(completed).not.toContain(call.nodeId);
        await buryOwners(kv);
        await expectSound(kv);
        const stored = await openStore(outliving(kv));
        const { record, spec } = (await stored.load('e'))!;
        expect([script.workflow.definitionHash, workflow.definitionHash]).toContain(record.definitionHash);
        expect(spec.nodes).toHaveLength(record.nodeCount);
        const now = (await (await healthy(script, kv, workflow)).runtime.get('e'))!;
        for (const id of done(now)) completed.add(id);
      }
      const { runtime, clock } = await healthy(script, kv, workflow);
      if ((await runtime.get('e'))!.status !== 'completed') {
        await runtime.migrate('e', workflow);
        await clock.run(toEnd(runtime));
      }
      const end = (await runtime.get('e'))!;
      expect(end.status).toBe('completed');
      expect(Object.keys(end.node_states).sort()).toEqual(workflow.spec.nodes.map(({ id }) => id).sort());
    });
    await fc.assert(property, { numRuns: 80 });
  }, 120_000);
});
