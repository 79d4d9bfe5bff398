import { workerData, type MessagePort } from 'node:worker_threads';
import { expose } from 'comlink';
import { RuntimeHost } from './host.js';

/** The entry of the runtime's own thread. It exposes the runtime; the application exposes nothing. */
const { calls, events } = workerData as { calls: MessagePort; events: MessagePort };
expose(new RuntimeHost((batch) => events.postMessage(batch)), calls);
