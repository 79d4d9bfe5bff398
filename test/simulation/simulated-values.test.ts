import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { simulateWorkflow, type SimulationReport } from '../../src/simulation/index.js';
import { workflowFromSpec, type Workflow } from '../../src/spec/index.js';

/** Two steps, and a node with each condition after them. */
function branches(conditions: readonly string[]): Workflow {
  const step = { type: 'custom', run: 'false' };
  const nodes = conditions.map((condition, k) => ({
    ...{ id: `c${k}`, name: condition, ...step },
    ...{ dependencies: ['a', 'b'], condition },
  }));
  return workflowFromSpec({
    workflow: { id: 'branches', name: 'Branches', on_failure: 'continue', global_context: { limit: 3 } },
    nodes: [{ id: 'a', name: 'a', ...step }, { id: 'b', name: 'b', ...step }, ...nodes],
  });
}

const lines = ({ story }: SimulationReport): string[] => story!.map(({ text }) => text);

/** Every one of them can be true and can be false, but never together with all others. */
const BOTH_WAYS = [
  'outputs.a.count > 1000',
  `outputs.a.count > 1000 && outputs.b.kind in ['x', 'y'] && outputs.b.ok`,
  'outputs.a.count < -5',
  'outputs.a.ratio >= 0.05 && outputs.a.ratio < 0.1',
  'size(outputs.a.items) > 5',
  `outputs.a.items.exists(i, i.state == 'bad' && i.n > 10)`,
  `outputs.a.items.filter(i, i.state == 'good').size() >= 3`,
  'outputs.a.items.all(i, i.n > 10)',
  'has(outputs.a.error) && outputs.a.error.code == 404',
  `outputs.b.name.startsWith('rel-') && outputs.b.version.matches('^v[0-9]+$')`,
  `timestamp(outputs.a.at) > timestamp('2026-01-01T00:00:00Z')`,
  `'red' in outputs.b.tags && !('blue' in outputs.b.tags)`,
  'outputs.b.total / outputs.a.count < 0.5',
  'outputs.a.count > global_context.limit',
  'outputs.b.parent == null',
  'outputs.b.list[1] == 7',
  `outputs.b.tags == ['red', 'blue']`,
  `outputs.b.parts == {'n': 1} && outputs.b.more == {}`,
  'outputs.b.list[1] == outputs.a.count',
];

describe('generated outputs', () => {
  it.each(BOTH_WAYS)('take a condition both ways, and never fail it: %s', async (condition) => {
    const seen = { starts: 0, skipped: 0 };
    for (let firstSeed = 1; firstSeed <= 24; firstSeed++) {
      const report = await simulateWorkflow(branches([condition]), { seeds: 1, firstSeed });
      expect(report.surprises).toEqual([]);
      if (lines(report).includes('c0 starts')) seen.starts++;
      else seen.skipped++;
    }
    expect(seen.starts).toBeGreaterThan(0);
    expect(seen.skipped).toBeGreaterThan(0);
  });

  it('reach a node behind a chain of conditions, and none that contradicts itself', async () => {
    const chain = (k: number, condition: string) => ({
      ...{ id: `n${k}`, name: `n${k}`, type: 'custom', run: 'false', condition },
      dependencies: [`n${k - 1}`],
    });
    const spec = {
      workflow: { id: 'chain', name: 'Chain' },
      nodes: [
        { id: 'n0', name: 'n0', type: 'custom', run: 'false' },
        ...Array.from({ length: 8 }, (_, k) =>
          chain(k + 1, `outputs.n${k}.kind == 'k${k}' && outputs.n0.x > ${k * 10}`),
        ),
        chain(9, `outputs.n8.n < 0 && outputs.n8.n > 10`),
      ],
    };
    const { unreachable, seeds } = await simulateWorkflow(workflowFromSpec(spec));
    expect(seeds.run).toBe(100);
    expect(unreachable).toEqual([
      {
        ...{ node_id: 'n9', after: null, condition: 'outputs.n8.n < 0 && outputs.n8.n > 10' },
        ends: { skipped: 100 },
      },
    ]);
  });

  it('do not depend on which other seeds are played', async () => {
    const workflow = branches(BOTH_WAYS);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 10_000 }), async (firstSeed) => {
        const [alone, again] = [
          await simulateWorkflow(workflow, { seeds: 1, firstSeed }),
          await simulateWorkflow(workflow, { seeds: 1, firstSeed }),
        ];
        expect(JSON.stringify(again)).toBe(JSON.stringify(alone));
      }),
      { numRuns: 20 },
    );
  });
});
