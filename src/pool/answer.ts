import { toErrorDocument } from '../base/errors.js';
import { ToWorker, type HostMessage } from './worker/protocol.js';

/** Answers what a worker has asked: with what `fetch` resolves to, or with the error it comes to. */
export async function answer(
  worker: { post(message: HostMessage): void },
  request: number,
  fetch: () => Promise<string>,
): Promise<void> {
  try {
    worker.post([ToWorker.answer, request, true, await fetch()]);
  } catch (error) {
    worker.post([ToWorker.answer, request, false, JSON.stringify(toErrorDocument(error))]);
  }
}
