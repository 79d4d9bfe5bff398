import { Worker } from 'node:worker_threads';
import { BatchRunner } from './batch-runner.js';
import { CELLS_PER_SLOT, ToWorker, type HostMessage, type ToHost } from './protocol.js';

/** What a child process of the pool runs: batches of one job, over the channel to its host. */

const [, , maxOutputBytes, hostPid] = process.argv;

const toHost: ToHost = {
  // A message to a host that is gone is nobody's error.
  postMessage: (message) => process.send?.(message, undefined, undefined, () => {}),
};
const runner = new BatchRunner(toHost, {
  cells: new Int32Array(CELLS_PER_SLOT),
  worker: 1,
  maxOutputBytes: Number(maxOutputBytes),
  // What is printed here goes to the host by pipes, which carry also what native code and other processes write.
  maxLogChars: 0,
  echo: false,
});

process.on('message', (message: HostMessage) => {
  if (message[0] === ToWorker.run) void runner.run(message[1]);
  else runner.hear(message);
});
process.on('uncaughtExceptionMonitor', (error: unknown) => runner.sayLastWords(error));
process.on('exit', () => runner.sayLastWords());

// Nothing of an attempt may outlive its host, which leaves the attempt to its successor. A host that dies closes the
// channel; a step that blocks this event loop keeps that from being heard, so another thread looks as well.
process.on('disconnect', () =>
  process.kill(process.platform === 'win32' ? process.pid : -process.pid, 'SIGKILL'),
);
new Worker(new URL('./host-watch-entry.js', import.meta.url), {
  workerData: Number(hostPid),
  execArgv: [],
  env: {},
}).unref();
