import { parentPort } from 'node:worker_threads';
import { task, type StepConfig } from '../step.js';
import type { BareBatch } from './protocol.js';

/** What a thread of the bare loop does: one message of steps, one of results. */
parentPort?.on('message', (batch: BareBatch) => {
  const results: (number | string)[] = [];
  const parsed = JSON.parse(batch[0]) as StepConfig;
  for (let at = 1; at < batch.length; at += 2)
    results.push(batch[at], JSON.stringify(task({ nodeConfig: { ...parsed } })));
  parentPort?.postMessage(results);
});
