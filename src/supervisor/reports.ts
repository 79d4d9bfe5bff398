import type { EngineEvent } from '../engine/effects.js';
import { stageOf } from '../graph/index.js';
import { breachOf } from '../policy/contracts.js';
import type { JobOutcome } from '../pool/index.js';
import type { ExecutionStore } from '../store/types.js';
import type { RunningJob } from './running-job.js';
import { keepOutput } from './large-outputs.js';
import type { LoopEvent } from './loop-event.js';
import { resultRows } from './step-cache.js';
import type { Turn } from './turn.js';

type Settled = LoopEvent & { kind: 'settled' };

/**
 * What the outcome of an attempt is for the engine; what is stored beside it is part of the turn from then on. Objects are
 * written out field by field: this is done for every node, and copying one costs more than all the rest.
 */
export function reportOf(
  turn: Turn,
  store: ExecutionStore,
  job: RunningJob,
  settled: Settled,
  nowMs: number,
): EngineEvent {
  const { outcome } = settled;
  const { node, run, attempt } = job;
  if (outcome.ok) return successOf(turn, store, job, settled, outcome, nowMs);
  if (outcome.kind === 'lost') return { type: 'attemptLost', node, run, attempt };
  const { error, durationMs } = outcome;
  return { type: 'attemptFailed', node, run, attempt, error, durationMs };
}

function successOf(
  turn: Turn,
  store: ExecutionStore,
  job: RunningJob,
  { files, cached }: Settled,
  outcome: JobOutcome & { ok: true },
  nowMs: number,
): EngineEvent {
  const { execution, node, run, attempt } = job;
  const { definition } = execution;
  const { artifacts, durationMs } = outcome;
  if (cached === undefined) definition.estimates.note(stageOf(definition.plan, node), durationMs);
  const contracts = definition.contracts?.verify(node, outcome.output);
  const error = contracts && breachOf(contracts, definition.plan.ids[node]);
  if (error) return { type: 'attemptFailed', node, run, attempt, error, durationMs, contracts };
  const output = keepOutput(turn, store, job, outcome.output);
  const rows = resultRows(store, job, outcome, files, cached, nowMs);
  for (const row of rows) turn.ops.push(row);
  return {
    type: 'attemptSucceeded',
    node,
    run,
    attempt,
    output,
    artifacts,
    durationMs,
    cached,
    contracts,
  };
}
