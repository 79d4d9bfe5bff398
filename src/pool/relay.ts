import { answer } from './answer.js';
import type { FetchKind, PoolListener } from './port.js';
import type { WorkerLink } from './threads-crew.js';
import { FromWorker, type WorkerMessage } from './worker/protocol.js';

const FETCH_KINDS: readonly FetchKind[] = ['allOutputs', 'allArtifacts', 'globalContext'];

/** Passes on what a step says while it runs. What nobody knows is ignored. */
export function relay(listener: PoolListener, link: WorkerLink, jobId: number, message: WorkerMessage): void {
  if (message[0] === FromWorker.heartbeat) listener.heartbeat(jobId);
  else if (message[0] === FromWorker.progress) listener.progress(jobId, message[3], message[4]);
  else if (message[0] === FromWorker.output) listener.output(jobId, message[3], message[4], message[5]);
  else if (message[0] === FromWorker.fetch) {
    const [, , , request, kind] = message;
    if (FETCH_KINDS.includes(kind)) void answer(link, request, () => listener.fetch(jobId, kind));
  }
}
