import { dependenciesOf, loadWorkflowFile, planOf } from '../../src/runtime/index.js';
import { simulateWorkflow } from '../../src/simulation/index.js';
import { fifoMakespan, heftMakespan, lowerBound, type TimedGraph } from './schedules.js';
import type { Makespans } from './types.js';

/** Simulated time goes in whole milliseconds: for all schedules alike. */
function asSimulated(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

/** Of a recorded workflow: the real supervisor over a simulated clock and pool, beside two schedules. */
export async function makespans({
  file,
  workers,
}: {
  readonly file: string;
  readonly workers: readonly number[];
}): Promise<Makespans[]> {
  const { workflow } = await loadWorkflowFile(file);
  const plan = planOf(workflow.spec);
  const graph: TimedGraph = {
    dependencies: plan.ids.map((_, node) => [...dependenciesOf(plan, node)]),
    seconds: workflow.spec.nodes.map(({ config }) => asSimulated(Number(config?.seconds ?? 0))),
  };
  if (!graph.seconds.some((each) => each > 0)) return [];
  const all: Makespans[] = [];
  for (const count of workers) {
    const report = await simulateWorkflow(workflow, { seeds: 1, workers: count, retries: false });
    const { makespan_seconds: found, ends } = report;
    if (found === null || ends.completed !== 1) throw new Error(`the simulation of ${file} did not complete`);
    all.push({
      workers: count,
      maestro: found.max.seconds,
      fifo: fifoMakespan(graph, count),
      heft: heftMakespan(graph, count),
      bound: lowerBound(graph, count),
    });
  }
  return all;
}
