import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compilePlan, components, criticalPath, generations } from '../../src/graph/index.js';
import { graphNodes, loadWorkflowFile, parseWorkflow } from '../../src/spec/index.js';

const FOLDER = join(import.meta.dirname, '../../../shared/workloads');

interface Row {
  file: string;
  tasks: number;
  edges: number;
  depth: number;
  width: number;
  sum: number;
  critical: number;
}

/** The table of figures in the workloads' README. */
function readTable(): Row[] {
  return readFileSync(join(FOLDER, 'README.md'), 'utf8')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter((cells) => cells.length === 11 && /\.json/.test(cells[1]))
    .map((cells) => {
      const [tasks, edges, depth, width, sum, critical] = cells
        .slice(2, 8)
        .map((c) => Number(c.replaceAll(',', '')));
      return { file: cells[1], tasks, edges, depth, width, sum, critical };
    });
}

describe.skipIf(!existsSync(FOLDER))('recorded workloads (skipped without ../shared)', () => {
  const rows = existsSync(FOLDER) ? readTable() : [];

  it('has the whole table', () => expect(rows).toHaveLength(15));

  it.each(rows)('$file has the figures of the table', async (row) => {
    const { workflow, warnings } = await loadWorkflowFile(join(FOLDER, row.file));
    const plan = compilePlan(graphNodes(workflow.spec));
    const seconds = workflow.spec.nodes.map((node) => Number(node.config?.seconds));
    const groups = generations(plan);
    expect([plan.nodeCount, plan.edgeCount, groups.length]).toEqual([row.tasks, row.edges, row.depth]);
    expect(Math.max(...groups.map((group) => group.length))).toBe(row.width);
    expect(seconds.reduce((a, b) => a + b, 0)).toBeCloseTo(row.sum, 0);
    expect(criticalPath(plan, (index) => seconds[index]).lengthMs).toBeCloseTo(row.critical, 0);
    expect(warnings).toHaveLength(components(plan) > 1 ? 1 : 0);
    expect(workflow.spec.nodes.every((node) => node.uses === 'maestro:sleep#task')).toBe(true);
  });

  it('scales time; 0 means no work', async () => {
    const path = join(FOLDER, 'helloworld-forkjoin-10-chameleon.json');
    const load = async (timeScale: number) =>
      (await loadWorkflowFile(path, { timeScale })).workflow.spec.nodes;
    const [full, half, none] = await Promise.all([1, 0.5, 0].map(load));
    expect(full[1].config?.seconds).toBeGreaterThan(0);
    expect(half[1].config?.seconds).toBe(Number(full[1].config?.seconds) / 2);
    expect(none.map((node) => node.config?.seconds)).toEqual(none.map(() => 0));
    expect(none[1].metadata).toEqual(full[1].metadata);
  });
});

describe('importing WfFormat', () => {
  const parse = (document: object, timeScale?: number) =>
    parseWorkflow(JSON.stringify(document, null, 1), { format: 'json', file: 'w.json', timeScale });
  const tasks = (...list: unknown[]) => ({
    name: '  Ünsafe name!.json',
    schemaVersion: '1.5',
    workflow: { specification: { tasks: list }, execution: { makespanInSeconds: 7 } },
  });

  it('makes a valid id of any name and keeps the facts of the source', () => {
    const { spec } = parse(
      tasks({ id: 'a', name: 'A' }, { id: 'b', parents: ['a'], category: 'c' }),
    ).workflow;
    expect(spec.workflow).toMatchObject({
      id: 'nsafe-name-',
      name: '  Ünsafe name!.json',
      metadata: {
        source: 'wfformat',
        schema_version: '1.5',
        makespan_seconds: 7,
        task_count: 2,
        time_scale: 1,
      },
    });
    expect(spec.nodes).toMatchObject([
      { id: 'a', name: 'A', dependencies: [], config: { seconds: 0, category: 'A' } },
      { id: 'b', name: 'b', dependencies: ['a'], config: { seconds: 0, category: 'c' } },
    ]);
    expect(parse({ ...tasks({ id: 'a' }), name: '...' }).workflow.spec.workflow.id).toBe('workflow');
  });

  it.each([
    ['unknown parent', tasks({ id: 'a', parents: ['x'] }), /"a" depends on "x"/],
    ['cycle', tasks({ id: 'a', parents: ['b'] }, { id: 'b', parents: ['a'] }), /cycle: a → b → a/],
    ['duplicate', tasks({ id: 'a' }, { id: 'a' }), /nodes\[1\] has the id "a"/],
    ['no id', tasks({ name: 'a' }), /tasks\[0\]\.id must be a string/],
    ['no task', tasks(5), /tasks\[0\]\.id must be a string/],
    ['bad id', tasks({ id: '__proto__' }), /reserved name/],
    ['bad parents', tasks({ id: 'a', parents: 'b' }), /parents must be a list of ids/],
    ['an older version', { name: 'x', workflow: { tasks: [] } }, /only WfFormat 1\.5 and later/],
    ['nothing', tasks(), /at least one/],
  ])('refuses %s, with the place', (_, document, message) => {
    expect(() => parse(document)).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(message) as string,
        problems: [expect.objectContaining({ file: 'w.json', line: expect.any(Number) as number })],
      }) as Error,
    );
  });

  it('points into the file it was made of', () => {
    expect(() => parse(tasks({ id: 'a' }, { id: 'b', parents: ['a', 'x'] }))).toThrow(
      /^w\.json:14:7: node "b" depends on "x"/,
    );
  });

  it('refuses a time scale that is no amount', () => {
    for (const scale of [-1, NaN, Infinity]) {
      expect(() => parse(tasks({ id: 'a' }), scale)).toThrow(
        expect.objectContaining({ code: 'USAGE' }) as Error,
      );
    }
  });
});
