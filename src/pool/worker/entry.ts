import { availableParallelism } from 'node:os';
import { MessageChannel, parentPort, threadId, workerData } from 'node:worker_threads';
import { BatchRunner } from './batch-runner.js';
import { divertPrints } from './divert.js';
import { Lookout } from './lookout.js';
import { HELLO, type Hello, type HostMessage, type WorkerSettings } from './protocol.js';
import type { WireBatch } from './wire.js';

/** What a worker thread runs. Batches come as Piscina tasks, everything else over a port of our own. */

const { port1: port, port2: hostPort } = new MessageChannel();
const settings: WorkerSettings = { ...(workerData as Omit<WorkerSettings, 'worker'>), worker: threadId };
const runner = new BatchRunner(port, settings);
const lookout = new Lookout();
/** Whether this thread can be awake without keeping the host's from running. */
const HAS_CORE = availableParallelism() > 1;

const hello: Hello = { type: HELLO, worker: threadId, port: hostPort };
parentPort?.postMessage(hello, [hostPort]);
port.on('message', (message: HostMessage) => runner.hear(message));
divertPrints((stream, chunk) => runner.print(stream, chunk), settings.echo);
process.on('uncaughtExceptionMonitor', (error: unknown) => runner.sayLastWords(error));
process.on('exit', () => runner.sayLastWords());

/** The Piscina task. Resolves with those results that have not been sent over the port. */
export async function runBatch(batch: WireBatch): Promise<unknown[]> {
  const results = await runner.run(batch);
  if (batch.lone && HAS_CORE) lookout.begin();
  return results;
}
