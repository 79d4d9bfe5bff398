import { parentPort } from 'node:worker_threads';
import { task, type StepConfig } from '../step.js';
import type { BareBatch } from './protocol.js';

/** What a thread of the bare loop does: one message of steps, one of results. */
parentPort?.on('message', ([config, ...steps]: BareBatch) => {
  const results: (number | string)[] = [];
  const parsed = JSON.parse(config) as StepConfig;
  for (let at = 0; at < steps.length; at += 2)
    results.push(steps[at], JSON.stringify(task({ nodeConfig: { ...parsed } })));
  parentPort?.postMessage(results);
});
