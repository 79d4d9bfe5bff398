import { MessageChannel, parentPort, threadId, workerData } from 'node:worker_threads';
import { systemClock } from '../../base/clock.js';
import { AWAKE_MS } from '../batching.js';
import { BatchRunner } from './batch-runner.js';
import { divertPrints } from './divert.js';
import { HELLO, ToWorker, type Hello, type HostMessage, type WorkerSettings } from './protocol.js';
import type { WireBatch } from './wire.js';

/** What a worker thread runs. A Piscina task takes it into service; everything else comes over a port of our own. */

const { port1: port, port2: hostPort } = new MessageChannel();
const settings: WorkerSettings = { ...(workerData as Omit<WorkerSettings, 'worker'>), worker: threadId };
const runner = new BatchRunner(port, settings);

const hello: Hello = { type: HELLO, worker: threadId, port: hostPort };
parentPort?.postMessage(hello, [hostPort]);
port.on('message', (message: HostMessage) => {
  if (message[0] === ToWorker.run) void run(message[1]);
  else if (message[0] === ToWorker.rest) rest();
  else runner.hear(message);
});
divertPrints((stream, chunk) => runner.print(stream, chunk), settings.echo);
process.on('uncaughtExceptionMonitor', (error: unknown) => runner.sayLastWords(error));
process.on('exit', () => runner.sayLastWords());

let rest: () => void = () => {};

/** The Piscina task: the worker is in service from its first batch on, until the host lets it rest. */
export function serve(first: WireBatch): Promise<void> {
  void run(first);
  return new Promise((resolve) => {
    rest = resolve;
  });
}

async function run(batch: WireBatch): Promise<void> {
  await runner.run(batch);
  if (batch.lone) systemClock.stayAwake?.(AWAKE_MS);
}
