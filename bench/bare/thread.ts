import { parentPort } from 'node:worker_threads';
import type { BareBatch } from './protocol.js';
import { runBatch } from './steps.js';

/** What a thread of the bare loop does: one message of steps, one of results. */
parentPort?.on('message', (batch: BareBatch) => parentPort?.postMessage(runBatch(batch)));
