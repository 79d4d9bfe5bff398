import { MaestroError } from '../base/errors.js';
import type { Workflow } from '../spec/index.js';

/**
 * The global context of a new execution as JSON text: the workflow's own, overlaid with what the caller gives.
 * @throws CONTEXT_INVALID when it is no object or cannot be written as JSON
 */
export function contextText(workflow: Workflow, given: Record<string, unknown>): string {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new MaestroError('CONTEXT_INVALID', 'the context must be an object');
  }
  try {
    return JSON.stringify({ ...workflow.spec.workflow.global_context, ...given });
  } catch (cause) {
    throw new MaestroError('CONTEXT_INVALID', `the context cannot be written as JSON: ${String(cause)}`, {
      cause,
    });
  }
}
