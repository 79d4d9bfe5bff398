import { MaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import type { JobOutcome } from './port.js';
import type { StepResult } from './step-result.js';
import type { WireResult } from './worker/protocol.js';

export function toOutcome(result: StepResult, durationMs: number): JobOutcome {
  if (result.ok) return { ok: true, output: result.output, artifacts: result.artifacts, durationMs };
  return { ok: false, kind: 'error', error: result.error, durationMs };
}

/** The error a cancelled job settles with: the reason it was given, never without a code. */
export function cancelReason(reason: ErrorDocument): ErrorDocument {
  return reason.code === undefined ? { ...reason, code: 'STEP_CANCELLED' } : reason;
}

/** The job's worker ended with it in hand, but the job is not to blame: it may be dispatched again. */
export function lost(message: string, cause?: unknown): JobOutcome {
  return {
    ok: false,
    kind: 'lost',
    error: toErrorDocument(new MaestroError('WORKER_LOST', message, { cause })),
  };
}

/** The job ended its own worker. */
export function crashed(message: string, durationMs: number, cause?: unknown): JobOutcome {
  const error = toErrorDocument(new MaestroError('WORKER_LOST', message, { cause }));
  return { ok: false, kind: 'crashed', error, durationMs };
}

/** Reads one result as a worker sends it, from `at` on: see RESULT_STRIDE. */
export function decodeResult(fields: readonly unknown[], at: number): JobOutcome & { durationMs: number } {
  const end = fields[at + 1] as WireResult[1];
  const durationMs = fields[at + 2] as WireResult[2];
  if (typeof end === 'string') return { ok: true, output: end, artifacts: NO_ARTIFACTS, durationMs };
  if ('error' in end)
    return { ok: false, kind: 'error', error: JSON.parse(end.error) as ErrorDocument, durationMs };
  const [output, artifacts] = end;
  return { ok: true, output, artifacts, durationMs };
}

const NO_ARTIFACTS: readonly string[] = [];

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown cause';
}
