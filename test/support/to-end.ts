import { isMaestroError } from '../../src/base/errors.js';
import { isWorkflowStatusEnded } from '../../src/base/model.js';
import type { Runtime } from '../../src/runtime/types.js';

/** Waits for a recovered execution to end; it may have ended since it was looked at. */
export async function toEnd(runtime: Runtime, executionId = 'e'): Promise<void> {
  try {
    await (
      await runtime.resume(executionId)
    ).result;
  } catch (error) {
    const { status } = (await runtime.get(executionId))!;
    if (!isMaestroError(error, 'EXECUTION_STATE') || !isWorkflowStatusEnded(status)) throw error;
  }
}
