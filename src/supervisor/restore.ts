import { MaestroError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { carryOver } from '../engine/carry-over.js';
import { LEAF } from '../engine/columns.js';
import { ExecutionEngine } from '../engine/execution-engine.js';
import { ExecutionState } from '../engine/execution-state.js';
import { EventDeriver, type EventSource } from '../observe/event-deriver.js';
import { planForExecution, type Plan } from '../graph/index.js';
import { planOf } from '../spec/index.js';
import {
  CHECKPOINT_CHUNK,
  type ExecutionRecord,
  type ExecutionStore,
  type StoredExecution,
} from '../store/types.js';
import { ActiveExecution } from './active-execution.js';
import type { Definition } from './definition.js';
import { definitionAt, definitionsOf, migrationsOf } from './migrations.js';
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
  const { checkpoint, record } = stored;
  const definitions = definitionsOf(record);
  // A checkpoint is in terms of the definition that holds; without one the journal is read from its beginning.
  let at = checkpoint === null ? 0 : definitions.length - 1;
  const planAt = async (): Promise<Plan> =>
    at === definitions.length - 1
      ? plan
      : planOf(await definitionAt(store, record.executionId, definitions[at]));
  let state = new ExecutionState(await planAt());
  const sinceCheckpoint = new SinceCheckpoint();
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
    for (const entry of entries) {
      if (entry.event.type === 'migrated') {
        // It was migrated since the record was read: what was asked for is what it was.
        if (++at === definitions.length && (await isMigrated(store, record)))
          return { state, nextSequence, sinceCheckpoint };
        if (entry.event.to !== definitions[at]) throw unknownMigration(record.executionId);
        state = carryOver(state, await planAt());
        sinceCheckpoint.noteAll(state.plan.nodeCount);
      }
      state.replay(entry);
    }
    sinceCheckpoint.note(entries);
    nextSequence = sequence + 1;
  }
  return { state, nextSequence, sinceCheckpoint };
}

/** Whether an execution has another definition by now. */
async function isMigrated(store: ExecutionStore, seen: ExecutionRecord): Promise<boolean> {
  const record = await store.getRecord(seen.executionId);
  return record !== undefined && migrationsOf(record).length > migrationsOf(seen).length;
}

function unknownMigration(executionId: string): MaestroError {
  const what = `the journal of execution ${executionId} tells of a migration that its record knows nothing of`;
  return new MaestroError('RECORD_CORRUPT', what);
}

/** What is needed to bring an execution into memory. */
export interface ActivationOptions {
  readonly definition: Definition;
  readonly record: ExecutionRecord;
  /** JSON text. */
  readonly globalContext: string;
  readonly random: Random;
  readonly ownerId: string;
  /** Whether anybody is told its events. */
  readonly listens: boolean;
}

/** Brings an execution into memory: a new one, or one with a restored state. */
export function activate(options: ActivationOptions, restored?: Restored): ActiveExecution {
  const { record, globalContext, random, ownerId, listens } = options;
  const state = restored?.state ?? new ExecutionState(options.definition.plan);
  const definition = options.definition.over(state.plan);
  const engine = new ExecutionEngine(
    definition.forEngine(record.mode, record.options.retries !== false),
    random,
    state,
  );
  const deriver = listens ? deriverOf(eventSource(definition, record, globalContext), state) : null;
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

/** Goes on from what has become of an execution. */
function deriverOf(source: EventSource, { columns }: ExecutionState): EventDeriver {
  const completed = columns.leaf.map((code) => (code === LEAF.completed ? 1 : 0));
  return new EventDeriver(source, columns.attempt.slice(), completed, columns.iterations);
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
