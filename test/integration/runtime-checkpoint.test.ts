import { describe, expect, it } from 'vitest';
import { defineWorkflow, type StepContext, type Workflow } from '../../src/runtime/index.js';
import { openStore } from '../../src/store/open.js';
import { failFirst, manyEntries } from './support/checkpoints.js';
import { Counter, Gate, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();
const LAYERS = 24;
const WIDTH = 100;
/** Where the first life ends: past the first checkpoint. */
const STOP = `n${18 * WIDTH}`;
/** The node at the gate and all that depend on it: one column more in each layer after. */
const HELD_BACK = 1 + 2 + 3 + 4 + 5 + 6;

/** Layers of nodes, each after two of the layer before; one node in the eighteenth waits at the gate. */
function layered(gate: Gate, ran: Counter): Workflow {
  const builder = defineWorkflow<Record<string, unknown>>({ id: 'layered' });
  for (let i = 0; i < LAYERS * WIDTH; i++) {
    const layer = Math.floor(i / WIDTH);
    const column = i % WIDTH;
    const before = (offset: number) => `n${(layer - 1) * WIDTH + ((column + offset) % WIDTH)}`;
    builder.node(`n${i}`, {
      dependsOn: layer === 0 ? [] : [before(0), before(7)],
      ...manyEntries,
      execute: async ({ nodeId, attempt, dependencyOutputs }: StepContext<Record<string, unknown>>) => {
        failFirst({ attempt });
        ran.note(nodeId);
        if (nodeId === STOP) await gate.passed;
        return (
          Object.values(dependencyOutputs).reduce<number>((sum, value) => sum + Number(value), 1) % 1_000_003
        );
      },
    });
  }
  return builder.build();
}

function expectedOutputs(): Record<string, number> {
  const outputs: number[] = [];
  for (let i = 0; i < LAYERS * WIDTH; i++) {
    const layer = Math.floor(i / WIDTH);
    const at = (offset: number) => outputs[(layer - 1) * WIDTH + (((i % WIDTH) + offset) % WIDTH)];
    outputs.push(layer === 0 ? 1 : (1 + at(0) + at(7)) % 1_000_003);
  }
  return Object.fromEntries(outputs.map((output, i) => [`n${i}`, output]));
}

/** Nodes of the first part: more than two chunks of a checkpoint; of the second: enough entries for a checkpoint. */
const EARLY = 600;
const LATE = 2000;

/** One part runs at once, one after the first gate, and a last node after the second one. */
function twoParts(first: Gate, second: Gate, ran: Counter): Workflow {
  const builder = defineWorkflow<Record<string, unknown>>({ id: 'two-parts' });
  const note = ({ nodeId, attempt }: StepContext): number => {
    failFirst({ attempt });
    ran.note(nodeId);
    return 1;
  };
  for (let i = 0; i < EARLY; i++) builder.node(`early${i}`, { ...manyEntries, execute: note });
  builder.node('gate', { execute: () => first.passed });
  for (let i = 0; i < LATE; i++)
    builder.node(`late${i}`, { dependsOn: ['gate'], ...manyEntries, execute: note });
  builder.node('last', { dependsOn: ['late0'], execute: () => second.passed });
  return builder.build();
}

describe.each(storeKinds())('a checkpoint in the middle of an execution on %s', (_, create) => {
  it('is what the next runtime starts from: nothing done before it runs again, nothing is missing', async () => {
    const place = create();
    const [gate, ran] = [new Gate(), new Counter()];
    const workflow = layered(gate, ran);
    const first = await open({ store: place() });
    const { id } = await first.start(workflow);
    await until(() => ran.of(STOP) > 0, 'the node at the gate runs');
    const others = LAYERS * WIDTH - HELD_BACK;
    await until(
      async () => (await first.get(id))!.completed_nodes === others,
      'all that can be done is done',
    );
    await first.close({ drainMs: 0, graceMs: 0 });

    const look = await openStore(place());
    const checkpoint = (await look.load(id))?.checkpoint;
    expect(checkpoint?.nextSequence).toBeGreaterThan(0);
    expect(checkpoint?.chunks.size).toBeGreaterThan(1);
    await look.close();

    gate.open();
    const second = await open({ store: place(), workflows: [workflow] });
    expect(second.recovered).toEqual([{ executionId: id }]);
    await until(async () => (await second.get(id))!.status === 'completed', 'it is completed');
    const document = (await second.get(id))!;
    expect({ ...document.node_outputs }).toEqual(expectedOutputs());
    const twice = [...ran.counts].filter(([, times]) => times > 1);
    expect(twice).toEqual([[STOP, 2]]);
  });

  it('holds what was done before a crash, too, where nothing was done after it', async () => {
    const place = create();
    const [first, second] = [new Gate(), new Gate()];
    const ran = new Counter();
    const workflow = twoParts(first, second, ran);
    const one = await open({ store: place() });
    const { id } = await one.start(workflow);
    await until(async () => (await one.get(id))!.completed_nodes === EARLY, 'the first part is done');
    await one.close({ drainMs: 0, graceMs: 0 });

    first.open();
    const two = await open({ store: place(), workflows: [workflow] });
    const done = (): boolean => [...ran.counts].filter(([node]) => node.startsWith('late')).length === LATE;
    await until(done, 'the second part is done');
    await two.close({ drainMs: 0, graceMs: 0 });

    const look = await openStore(place());
    expect((await look.load(id))?.checkpoint?.nextSequence).toBeGreaterThan(0);
    await look.close();
    second.open();
    const three = await open({ store: place(), workflows: [workflow] });
    await until(async () => (await three.get(id))!.status === 'completed', 'it is completed');
    const twice = [...ran.counts].filter(([node, times]) => times > 1 && node.startsWith('early'));
    expect(twice).toEqual([]);
  });
});
