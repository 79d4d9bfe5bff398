import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { criticalPath } from '../../src/graph/index.js';
import { FAULTS, simulateWorkflow } from '../../src/simulation/index.js';
import { loadWorkflowFile, planOf } from '../../src/spec/index.js';

/** Recorded workflows, beside the repository, so they may be missing. The compressed ones have thousands of tasks. */
const FOLDER = resolve(import.meta.dirname, '../../../shared/workloads');
const FILES = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.json')) : [];
const WORKERS = 4;

describe.skipIf(FILES.length === 0)('a simulated recording', () => {
  it.each(FILES)('takes its recorded durations, in a greedy schedule: %s', async (file) => {
    const { workflow } = await loadWorkflowFile(join(FOLDER, file));
    const plan = planOf(workflow.spec);
    const seconds = workflow.spec.nodes.map(({ config }) => Number(config?.seconds));
    const work = seconds.reduce((sum, each) => sum + each, 0);
    const longest = criticalPath(plan, (node) => seconds[node]).lengthMs;
    const report = await simulateWorkflow(workflow, { seeds: 1, workers: WORKERS });
    expect(report).toMatchObject({
      surprises: [],
      ends: { completed: 1 },
      generated: { durations: 0, outputs: 0 },
    });
    const makespan = report.makespan_seconds!.max.seconds;
    // A task lasts whole milliseconds here.
    const rounding = 0.001 * plan.nodeCount;
    expect(makespan).toBeGreaterThanOrEqual(Math.max(longest, work / WORKERS) - rounding);
    expect(makespan).toBeLessThanOrEqual(work / WORKERS + longest * (1 - 1 / WORKERS) + rounding);
  });

  it.each(FILES.slice(0, 3))('has no surprises under faults: %s', async (file) => {
    const { workflow } = await loadWorkflowFile(join(FOLDER, file));
    const { surprises, unreachable } = await simulateWorkflow(workflow, { seeds: 20, faults: FAULTS });
    expect([surprises, unreachable]).toEqual([[], []]);
  });
});
