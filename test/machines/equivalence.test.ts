import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ActorLogic, type AnyStateMachine, createActor, type EventObject, type Snapshot } from 'xstate';
import { compiledNode, compiledWorkflow, nodeMachine, workflowMachine } from '../../machines/index.js';
import type { CompiledMachine, CompiledSnapshot } from '../../machines/index.js';
import { NODE_CONTEXTS, NODE_EVENTS, WORKFLOW_CONTEXTS, WORKFLOW_EVENTS } from './tables.js';

interface Seen {
  value: unknown;
  context: unknown;
  status: string;
}
const seen = ({ value, context, status }: Seen): Seen => ({ value, context, status });

/** The compiled logic against the interpreted definition: value, context, status, `can`, `matches`. */
function agree<C, E extends EventObject>(
  machine: AnyStateMachine,
  compiled: CompiledMachine<C, E>,
  events: Record<string, E>,
  contexts: C[],
): void {
  const logic = compiled.logic as ActorLogic<
    CompiledSnapshot<C>,
    E,
    { leaf?: number; context?: C } | undefined
  >;
  const interpreted = (leaf: number, context: C) => {
    const value = compiled.valueOf(leaf);
    const snapshot = machine.resolveState({ value, context }) as Snapshot<unknown>;
    return createActor(machine, { snapshot }).start();
  };

  it('begin alike', () => {
    const [fast, slow] = [createActor(logic).start(), createActor(machine).start()];
    expect(seen(fast.getSnapshot())).toEqual(seen(slow.getSnapshot()));
  });

  it('agree on every leaf, event and context', () => {
    for (const [leaf, name] of compiled.leaves.entries()) {
      for (const [variant, event] of Object.entries(events)) {
        for (const context of contexts) {
          const where = `${name} on ${variant}`;
          const fast = createActor(logic, { input: { leaf, context } }).start();
          const slow = interpreted(leaf, context);
          const light = createActor(compiled.startingAt(leaf, context) as typeof logic).start();
          expect(light.getSnapshot()).toEqual(fast.getSnapshot());
          expect(fast.getSnapshot().can(event), where).toBe(slow.getSnapshot().can(event));
          const step = compiled.step(leaf, context, event);
          fast.send(event);
          slow.send(event);
          light.send(event);
          expect(light.getSnapshot()).toEqual(fast.getSnapshot());
          expect(seen(fast.getSnapshot()), where).toEqual(seen(slow.getSnapshot()));
          expect({ leaf: step?.leaf ?? leaf, context: step?.context ?? context }, where).toEqual({
            leaf: fast.getSnapshot().leaf,
            context: fast.getSnapshot().context,
          });
          // What comes late changes nothing.
          if (step?.isLate === true) expect(step, where).toEqual({ leaf, context, isLate: true });
          for (const other of compiled.leaves.map((_, index) => compiled.valueOf(index))) {
            expect(fast.getSnapshot().matches(other)).toBe(slow.getSnapshot().matches(other));
          }
        }
      }
    }
  });

  it('agree over random sequences of events, legal or not', () => {
    const sequences = fc.array(fc.constantFrom(...Object.values(events)), { maxLength: 40 });
    fc.assert(
      fc.property(sequences, (sequence) => {
        const [fast, slow] = [createActor(logic).start(), createActor(machine).start()];
        let pure = { leaf: compiled.initialLeaf, context: compiled.initialContext };
        for (const event of sequence) {
          fast.send(event);
          slow.send(event);
          const { isLate: _, ...next } = compiled.step(pure.leaf, pure.context, event) ?? {
            ...pure,
            isLate: true,
          };
          pure = next;
          const snapshot = fast.getSnapshot();
          expect(seen(snapshot)).toEqual(seen(slow.getSnapshot()));
          expect({ leaf: snapshot.leaf, context: snapshot.context }).toEqual(pure);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('agree when stopped', () => {
    const [fast, slow] = [createActor(logic).start(), createActor(machine).start()];
    fast.stop();
    slow.stop();
    expect(fast.getSnapshot().status).toBe('stopped');
    expect(seen(fast.getSnapshot())).toEqual(seen(slow.getSnapshot()));
  });

  it('restore from every leaf, also what the interpreted machine has persisted', () => {
    for (const leaf of compiled.leaves.keys()) {
      for (const context of contexts) {
        const fast = createActor(logic, { input: { leaf, context } }).start();
        const own: unknown = JSON.parse(JSON.stringify(fast.getPersistedSnapshot()));
        const foreign: unknown = JSON.parse(
          JSON.stringify(interpreted(leaf, context).getPersistedSnapshot()),
        );
        for (const snapshot of [own, foreign] as Snapshot<unknown>[]) {
          const restored = createActor(logic, { snapshot }).start();
          expect(restored.getSnapshot()).toEqual(fast.getSnapshot());
          expect(restored.getPersistedSnapshot()).toEqual(fast.getPersistedSnapshot());
        }
        const back = createActor(machine, { snapshot: own as Snapshot<unknown> }).start();
        expect(seen(back.getSnapshot())).toEqual(seen(fast.getSnapshot()));
      }
    }
  });

  it('refuse a state that no longer exists', () => {
    const snapshot = {
      status: 'active',
      value: 'gone',
      context: contexts[0],
    } as unknown as Snapshot<unknown>;
    const actor = createActor(logic, { snapshot });
    expect(actor.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'RECORD_CORRUPT' } });
  });
}

describe('the compiled and the interpreted node machine', () =>
  agree(nodeMachine, compiledNode, NODE_EVENTS, NODE_CONTEXTS));

describe('the compiled and the interpreted workflow machine', () =>
  agree(workflowMachine, compiledWorkflow, WORKFLOW_EVENTS, WORKFLOW_CONTEXTS));

describe('an actor over a table', () => {
  it('tells its subscribers, and leaves the snapshot alone when nothing changes', () => {
    const actor = createActor(compiledNode.logic).start();
    const told: unknown[] = [];
    actor.subscribe((snapshot) => told.push(snapshot.value));
    actor.send({ type: 'dependenciesMet' });
    const before = actor.getSnapshot();
    actor.send({ type: 'dependencyRestored' });
    expect(actor.getSnapshot()).toBe(before);
    expect(told[0]).toBe('ready');
  });

  it('takes unknown events for illegal', () => {
    const unknown = { type: 'toString' } as never;
    expect(compiledNode.step(0, compiledNode.initialContext, unknown)).toBeUndefined();
  });
});
