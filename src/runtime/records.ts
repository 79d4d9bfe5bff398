import { MaestroError } from '../base/errors.js';
import { isValidId, newId } from '../base/ids.js';
import type { Workflow } from '../spec/index.js';
import type { ExecutionRecord } from '../store/types.js';
import type { Settings } from './options.js';
import type { StartOptions } from './types.js';

const NO_COUNTS = { completed: 0, failed: 0, skipped: 0, blocked: 0, cancelled: 0, running: 0 };

/** The record of an execution that has not started. @throws CONTEXT_INVALID for an unusable execution id */
export function newRecord(
  workflow: Workflow,
  options: StartOptions,
  settings: Settings,
  ownerId: string,
): ExecutionRecord {
  const { clock, random, mode, durability, retries } = settings;
  const executionId = options.executionId ?? newId(clock, random);
  if (!isValidId(executionId)) {
    throw new MaestroError('CONTEXT_INVALID', `"${executionId}" cannot be an execution id`, {
      next: 'Use up to 255 letters, digits and . _ : @ + -, beginning with a letter, a digit or _.',
    });
  }
  const nowMs = clock.nowMs();
  const { concurrency } = options;
  return {
    executionId,
    workflowId: workflow.spec.workflow.id,
    workflowName: workflow.spec.workflow.name,
    definitionHash: workflow.definitionHash,
    baseDir: workflow.baseDir,
    mode: options.mode ?? mode,
    durability,
    nodeCount: workflow.spec.nodes.length,
    status: 'pending',
    ownerId,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    startedAtMs: null,
    endedAtMs: null,
    error: null,
    counts: NO_COUNTS,
    options: {
      retries: options.retries ?? retries,
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(options.cache === false && { cache: false }),
    },
  };
}
