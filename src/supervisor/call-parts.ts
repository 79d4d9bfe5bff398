import { finishThrough } from '../engine/readiness.js';
import { stageOf } from '../graph/index.js';
import type { RepeatCall } from '../pool/index.js';
import type { ActiveExecution } from './active-execution.js';
import type { RunningJob } from './running-job.js';

/** What a node that repeats is told of its loop. */
export function repeatOf(
  { execution, node }: RunningJob,
  large: ReadonlyMap<number, string>,
): RepeatCall | null {
  if (!execution.definition.repeats.has(node)) return null;
  const { columns } = execution.engine.state;
  const before = columns.iterations.get(node)?.output ?? 'null';
  const previousOutput = typeof before === 'string' ? before : (large.get(node) ?? 'null');
  return { iteration: columns.iterationOf(node), previousOutput };
}

/** What a node that a rule may let run early is given: what has completed by now, as it sees that. */
export function completedBefore(
  { definition, engine }: ActiveExecution,
  node: number,
): ReadonlySet<number> | null {
  const stage = stageOf(definition.plan, node);
  if (!definition.triggers.has(stage)) return null;
  const { columns } = engine.state;
  const given = new Set<number>();
  // An edge that was not taken gives nothing. What an item depends on its stage does.
  definition.eachInput(node, {
    visit: (at) => {
      if (finishThrough(definition, columns, at, stage) === 'succeeded') given.add(at);
    },
  });
  return given;
}
