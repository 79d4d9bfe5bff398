import { MessageChannel, parentPort, threadId, workerData } from 'node:worker_threads';
import { systemClock } from '../../base/clock.js';
import { AWAKE_MS } from '../batching.js';
import { BatchRunner } from './batch-runner.js';
import { divertPrints } from './divert.js';
import { HELLO, type Hello, type HostMessage, type WorkerSettings } from './protocol.js';
import type { WireBatch } from './wire.js';

/** What a worker thread runs. Batches come as Piscina tasks, everything else over a port of our own. */

const { port1: port, port2: hostPort } = new MessageChannel();
const settings: WorkerSettings = { ...(workerData as Omit<WorkerSettings, 'worker'>), worker: threadId };
const runner = new BatchRunner(port, settings);

const hello: Hello = { type: HELLO, worker: threadId, port: hostPort };
parentPort?.postMessage(hello, [hostPort]);
port.on('message', (message: HostMessage) => runner.hear(message));
divertPrints((stream, chunk) => runner.print(stream, chunk), settings.echo);
process.on('uncaughtExceptionMonitor', (error: unknown) => runner.sayLastWords(error));
process.on('exit', () => runner.sayLastWords());

/** The Piscina task. Resolves with those results that have not been sent over the port. */
export async function runBatch(batch: WireBatch): Promise<unknown[]> {
  const results = await runner.run(batch);
  if (batch.lone) systemClock.stayAwake?.(AWAKE_MS);
  return results;
}
