import type { Random } from '../base/random.js';
import { LEAF } from '../engine/columns.js';
import { ExecutionEngine } from '../engine/execution-engine.js';
import { ExecutionState } from '../engine/execution-state.js';
import { EventDeriver, type EventSource } from '../observe/event-deriver.js';
import { planForExecution, type Plan } from '../graph/index.js';
import {
  CHECKPOINT_CHUNK,
  type ExecutionRecord,
  type ExecutionStore,
  type StoredExecution,
} from '../store/types.js';
import { ActiveExecution } from './active-execution.js';
import type { Definition } from './definition.js';
import { SinceCheckpoint } from './since-checkpoint.js';

/** A stored execution as of its last commit. */
export interface Restored {
  readonly state: ExecutionState;
  readonly nextSequence: number;
  readonly sinceCheckpoint: SinceCheckpoint;
}

/** The state of a stored execution as of its last commit: checkpoint, then journal. */
export async function restoreState(
  store: ExecutionStore,
  stored: StoredExecution,
  plan: Plan,
): Promise<Restored> {
  const state = new ExecutionState(plan);
  const sinceCheckpoint = new SinceCheckpoint();
  const { checkpoint, record } = stored;
  let nextSequence = 0;
  if (checkpoint !== null) {
    // First: it says how many items of maps there are.
    state.workflowRow = checkpoint.workflow;
    for (const [chunk, rows] of checkpoint.chunks) {
      rows.forEach((row, offset) => state.columns.setRow(chunk * CHECKPOINT_CHUNK + offset, row));
    }
    nextSequence = checkpoint.nextSequence;
  }
  for await (const { sequence, entries } of store.journal(record.executionId, nextSequence)) {
    for (const entry of entries) state.replay(entry);
    sinceCheckpoint.note(entries);
    nextSequence = sequence + 1;
  }
  return { state, nextSequence, sinceCheckpoint };
}

/** What is needed to bring an execution into memory. */
export interface ActivationOptions {
  readonly definition: Definition;
  readonly record: ExecutionRecord;
  /** JSON text. */
  readonly globalContext: string;
  readonly random: Random;
  readonly ownerId: string;
}

/** Brings an execution into memory: a new one, or one with a restored state. */
export function activate(options: ActivationOptions, restored?: Restored): ActiveExecution {
  const { record, globalContext, random, ownerId } = options;
  const state = restored?.state ?? new ExecutionState(options.definition.plan);
  const definition = options.definition.over(state.plan);
  const engine = new ExecutionEngine(
    definition.forEngine(record.mode, record.options.retries !== false),
    random,
    state,
  );
  const { leaf, attempt, iterations } = engine.state.columns;
  const deriver = new EventDeriver(
    eventSource(definition, record, globalContext),
    restored && attempt.slice(),
    restored && leaf.map((code) => (code === LEAF.completed ? 1 : 0)),
    iterations,
  );
  const concurrency = record.mode === 'dag_parallel' ? limitOf(definition, record) : 1;
  return new ActiveExecution(
    definition,
    engine,
    record,
    globalContext,
    deriver,
    restored?.nextSequence ?? 0,
    restored?.sinceCheckpoint ?? new SinceCheckpoint(),
    concurrency,
    ownerId,
  );
}

/** The events that journal records of a stored execution stand for. */
export function eventSource(given: Definition, record: ExecutionRecord, globalContext: string): EventSource {
  const retries = record.options.retries !== false;
  const plan = planForExecution(given.plan);
  const definition = given.over(plan);
  return {
    workflowId: record.workflowId,
    executionId: record.executionId,
    plan,
    maxAttemptsOf: (node) => {
      const policy = definition.policyOf(node);
      return retries && policy.retry_on_failure ? policy.max_attempts : 1;
    },
    edgeConditionOf: (from, to) => definition.edgeConditions.get(to)?.get(from),
    initialContext: globalContext,
  };
}

function limitOf(definition: Definition, record: ExecutionRecord): number {
  const own = record.options.concurrency;
  const declared = definition.workflow.spec.workflow.max_concurrency;
  return Math.min(typeof own === 'number' ? own : Infinity, declared ?? Infinity);
}
