import { isMaestroError } from '../../src/base/errors.js';
import type { Durability } from '../../src/base/model.js';
import type { ExecutionEvent } from '../../src/observe/events.js';
import type { Job } from '../../src/pool/index.js';
import { decodeJournalRecord } from '../../src/store/journal-codec.js';
import * as keys from '../../src/store/keys.js';
import type { KvOp } from '../../src/store/kv.js';
import { decodeRecord } from '../../src/store/record-codec.js';
import { LEAF } from '../../src/engine/columns.js';
import type { DiskUser } from '../../src/simulation/disk.js';
import { fateOf, outputOf, type Scenario } from './scenario.js';
import { Shadow } from './shadow.js';
import { demand, Violation } from './violation.js';

/** Sees every commit, dispatch and announcement, and says which promise was broken first. */
export class Witness {
  readonly shadows: ReadonlyMap<string, Shadow>;
  violation: Violation | null = null;
  /** Announced events by execution and id. */
  readonly told = new Map<string, ExecutionEvent>();
  private readonly completed = new Set<string>();
  private readonly owners = new Map<string, string>();
  private readonly durability: Durability;

  constructor(scenario: Scenario) {
    this.durability = scenario.durability;
    this.shadows = new Map(scenario.executions.map((planned) => [planned.id, new Shadow(planned)]));
  }

  /** The lease of a process, once it has one. */
  ownerIdOf(process: string): string | undefined {
    return this.owners.get(process);
  }

  /** A commit is on disk. */
  committed(user: DiskUser, ops: readonly KvOp[]): void {
    this.watch(() => {
      for (const op of ops) {
        if (op.op === 'put' && op.key.startsWith(keys.OWNERS)) this.owners.set(user.name, op.key.slice(2));
      }
      const touched = new Set<Shadow>();
      for (const op of ops) {
        const shadow = this.shadows.get(executionOf(op.key) ?? '');
        if (op.op !== 'put' || shadow === undefined || shadow.damaged) continue;
        this.takeJournal(user, shadow, op.key, op.value);
        touched.add(shadow);
      }
      for (const op of ops) {
        const shadow = this.shadows.get(executionOf(op.key) ?? '');
        if (op.op !== 'put' || shadow === undefined || shadow.damaged) continue;
        if (op.key === keys.recordKey(shadow.planned.id)) this.takeRecord(shadow, op.value);
      }
    });
  }

  /** A row is damaged: what it belongs to can only be reported. */
  torn(key: string): void {
    for (const shadow of this.shadows.values()) {
      const { id, workflow } = shadow.planned;
      if (executionOf(key) === id || key === keys.definitionKey(workflow.definitionHash))
        shadow.damaged = true;
    }
  }

  /** An attempt was handed to the pool. */
  dispatched(user: DiskUser, job: Job): void {
    this.watch(() => {
      const { executionId, nodeId, idempotencyKey, dependencyOutputs } = job.call;
      const shadow = this.shadows.get(executionId)!;
      const node = shadow.plan.indexOf.get(nodeId)!;
      const name = `${executionId}: ${nodeId}`;
      const run = idempotencyKey.split('/').at(-1)!;
      demand(
        idempotencyKey === `${executionId}/${nodeId}/${run}`,
        'IDEMPOTENCY_KEY',
        `${name} has ${idempotencyKey}`,
      );
      const inputs = JSON.parse(dependencyOutputs) as Record<string, { id: string; attempt: number }>;
      for (const dependency of shadow.dependenciesOf(node)) {
        const id = shadow.plan.ids[dependency];
        demand(id in inputs, 'DEPENDENCIES_FIRST', `${name} was sent without the output of ${id}`);
        const expected = outputOf(id, inputs[id].attempt);
        demand(JSON.stringify(inputs[id]) === expected, 'INPUTS', `${name} got another output of ${id}`);
      }
      if (shadow.damaged || !this.owns(user, shadow)) return;
      if (this.durability !== 'exit') {
        const again = this.completed.has(`${executionId}/${nodeId}/${run}`);
        demand(
          !again,
          'ANNOUNCED_NEVER_RERUNS',
          `${name} was sent again after it was announced as completed`,
        );
      }
      if (this.durability !== 'sync') return;
      for (const dependency of shadow.dependenciesOf(node)) {
        const what = `${name} was sent before ${shadow.plan.ids[dependency]} was on disk as completed`;
        demand(shadow.isCompleted(dependency), 'DURABLE_DEPENDENCIES', what);
      }
      const { workflowLeaf } = shadow.state;
      demand(workflowLeaf !== 'cancelled', 'CANCELLED_IS_FINAL', `${name} was sent after the cancellation`);
    });
  }

  /** An observer was told. */
  announced(event: ExecutionEvent): void {
    if (event.event_id === undefined) return;
    this.watch(() => {
      const { execution_id, event_id, event_type, node_id } = event;
      const shadow = this.shadows.get(execution_id)!;
      const name = `${execution_id}: ${event_type} ${node_id ?? ''} ${event_id}`;
      if (this.durability === 'exit' || shadow.damaged) return;
      const stored = shadow.sequence > Number(event_id!.split('-')[0]);
      demand(stored, 'DURABLE_BEFORE_TOLD', `${name} was announced before it was on disk`);
      const key = `${execution_id}/${event_id}`;
      demand(!this.told.has(key), 'TOLD_ONCE', `${name} was announced twice`);
      this.told.set(key, event);
      if (event_type !== 'node_completed') return;
      const run = shadow.state.columns.run[shadow.plan.indexOf.get(node_id!)!];
      const completion = `${execution_id}/${node_id}/${run}`;
      demand(!this.completed.has(completion), 'TOLD_ONCE', `${name}: completed twice`);
      this.completed.add(completion);
    });
  }

  /** Somebody was told that an execution has this status. */
  acknowledged(executionId: string, status: string): void {
    this.watch(() => {
      const shadow = this.shadows.get(executionId)!;
      if (shadow.damaged) return;
      const stored = shadow.record?.status;
      demand(
        stored === status,
        'DURABLE_BEFORE_TOLD',
        `${executionId} was told as ${status}, stored is ${stored}`,
      );
    });
  }

  fail(code: string, message: string): void {
    this.violation ??= new Violation(code, message);
  }

  watch(check: () => void): void {
    if (this.violation !== null) return;
    try {
      check();
    } catch (error) {
      this.violation =
        error instanceof Violation ? error : new Violation('WITNESS', String((error as Error).stack));
    }
  }

  private owns(user: DiskUser, { record }: Shadow): boolean {
    return record === null || record.ownerId === this.owners.get(user.name);
  }

  private takeJournal(user: DiskUser, shadow: Shadow, key: string, value: Uint8Array): void {
    const { id } = shadow.planned;
    const prefix = keys.journalPrefix(id);
    if (!key.startsWith(prefix)) return;
    let entries;
    try {
      entries = decodeJournalRecord(key, value).entries;
    } catch (error) {
      if (!isMaestroError(error, 'RECORD_CORRUPT')) throw error;
      shadow.damaged = true;
      return;
    }
    const what = `${user.name} wrote ${key}, ${id} belongs to ${shadow.record?.ownerId}`;
    demand(this.owns(user, shadow), 'ONE_OWNER', what);
    const sequence = keys.lastNumber(key);
    demand(
      sequence === shadow.sequence,
      'JOURNAL_WITHOUT_GAPS',
      `${id}: ${sequence} after ${shadow.sequence - 1}`,
    );
    for (const entry of entries) {
      if (entry.event.type === 'attemptFailed') this.noteFailure(shadow, entry.node, entry.event.error.code);
      shadow.take(entry);
    }
    shadow.sequence++;
  }

  /** Failures that the fates do not foretell: crashed workers; what a jumping clock makes late. */
  private noteFailure(shadow: Shadow, node: number, code: string | undefined): void {
    const { ids } = shadow.plan;
    const { outcome } = fateOf(shadow.planned, ids[node], shadow.state.columns.attempt[node]);
    const foretold =
      code === 'CONDITION_FAILED' || (code === 'STEP_FAILED' ? outcome === 'fail' : code !== 'WORKER_LOST');
    if (!foretold || outcome === 'hang' || outcome === 'late') shadow.disturbed = true;
  }

  private takeRecord(shadow: Shadow, value: Uint8Array): void {
    const { id } = shadow.planned;
    let record;
    try {
      record = decodeRecord(id, value);
    } catch (error) {
      if (!isMaestroError(error, 'RECORD_CORRUPT')) throw error;
      shadow.damaged = true;
      return;
    }
    const before = shadow.record;
    shadow.record = record;
    if (before === null || before.status === record.status) return;
    const { workflowLeaf, columns } = shadow.state;
    demand(
      record.status === workflowLeaf,
      'RECORD_AGREES',
      `${id} is ${record.status}, its journal says ${workflowLeaf}`,
    );
    const { counts } = columns;
    const said = JSON.stringify(record.counts);
    const counted = JSON.stringify({
      completed: counts[LEAF.completed],
      failed: counts[LEAF['failed.exhausted']] + counts[LEAF['failed.retrying']],
      skipped: counts[LEAF.skipped],
      blocked: counts[LEAF.blocked],
      cancelled: counts[LEAF.cancelled],
      running: counts[LEAF.running],
    });
    demand(said === counted, 'COUNTS_AGREE', `${id}: the record says ${said}, the journal ${counted}`);
  }
}

function executionOf(key: string): string | undefined {
  return /^x\/([^/]+)\//.exec(key)?.[1];
}
