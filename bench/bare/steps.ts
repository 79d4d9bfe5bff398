import { task, type StepConfig } from '../step.js';
import type { Waiting } from './crew.js';
import type { BareBatch, BareResults } from './protocol.js';

/** Runs a batch of steps, wherever that is. */
export function runBatch(batch: BareBatch): BareResults {
  const results: (number | string)[] = [];
  const parsed = JSON.parse(batch[0]) as StepConfig;
  for (let at = 1; at < batch.length; at += 2)
    results.push(batch[at], JSON.stringify(task({ nodeConfig: { ...parsed } })));
  return results;
}

/** What a batch is made of: steps that wait, and the configuration that all of them have. */
export function batchOf(config: string, steps: readonly Waiting[]): BareBatch {
  const batch: [string, ...(number | string)[]] = [config];
  for (const [step, inputs] of steps) batch.push(step, inputs);
  return batch;
}
