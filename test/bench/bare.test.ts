import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Waiting } from '../../bench/bare/crew.js';
import { BareLoop } from '../../bench/bare/loop.js';
import { graphOf } from '../../bench/shapes.js';
import type { BenchGraph } from '../../bench/types.js';

/** A step that was run, an execution that has ended; and how many writes were on disk then. */
type Told = { readonly written: number } & (
  { readonly run: number; readonly inputs: string } | { readonly ended: number }
);

interface Seen {
  readonly dependencies: BenchGraph['dependencies'];
  readonly told: readonly Told[];
  /** How many writes had begun when a step ended: what it gave is in none of them. */
  readonly begunAtEnd: ReadonlyMap<number, number>;
}

/** Executes a random graph so many times at once. */
async function executed(nodes: number, executions: number, seed: number, isSync: boolean): Promise<Seen> {
  const { dependencies } = graphOf('random', { nodes, seed });
  const told: Told[] = [];
  const begunAtEnd = new Map<number, number>();
  let [begun, written] = [0, 0];
  const write = (): Promise<void> => {
    begun++;
    return new Promise((resolve) => {
      setImmediate(() => {
        written++;
        resolve();
      });
    });
  };
  const end = (step: number): void => {
    begunAtEnd.set(step, begun);
    loop.take([step, `"${step}"`]);
  };
  const run = (steps: readonly Waiting[]): void => {
    for (const [step, inputs] of steps) {
      told.push({ run: step, inputs, written });
      (step % 3 === 0 ? queueMicrotask : setImmediate)(() => end(step));
    }
  };
  const loop = new BareLoop(dependencies, isSync, { log: write, put: write }, run);
  const tell = (ended: number) => (): void => void told.push({ ended, written });
  await Promise.all(Array.from({ length: executions }, (_, k) => loop.execute().then(tell(k))));
  return { dependencies, told, begunAtEnd };
}

const cases = [fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 4 }), fc.nat()] as const;

describe('the bare loop', () => {
  it('runs every node of every execution once, after what it depends on, with what that gave', async () => {
    const check = async (nodes: number, executions: number, seed: number, isSync: boolean): Promise<void> => {
      const { dependencies, told } = await executed(nodes, executions, seed, isSync);
      const done = new Set<number>();
      for (const each of told) {
        if (!('run' in each)) continue;
        const before = dependencies[each.run % nodes];
        const first = each.run - (each.run % nodes);
        for (const node of before) expect(done.has(first + node)).toBe(true);
        const given = before.map((node) => [`n${node}`, String(first + node)]);
        expect(JSON.parse(each.inputs)).toEqual(Object.fromEntries(given));
        expect(done.has(each.run)).toBe(false);
        done.add(each.run);
      }
      expect(done.size).toBe(nodes * executions);
      expect(told.length).toBe(done.size + executions);
    };
    await fc.assert(fc.asyncProperty(...cases, fc.boolean(), check), { numRuns: 50 });
  });

  it('under sync has what a step gave on disk before what depends on it starts, or its end is told', async () => {
    const check = async (nodes: number, executions: number, seed: number): Promise<void> => {
      const { dependencies, told, begunAtEnd } = await executed(nodes, executions, seed, true);
      for (const each of told) {
        const isRun = 'run' in each;
        const first = isRun ? each.run - (each.run % nodes) : each.ended * nodes;
        const before = isRun ? dependencies[each.run % nodes] : dependencies.keys();
        for (const node of before) expect(each.written).toBeGreaterThan(begunAtEnd.get(first + node)!);
      }
    };
    await fc.assert(fc.asyncProperty(...cases, check), { numRuns: 50 });
  });
});
