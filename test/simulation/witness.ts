import { isMaestroError } from '../../src/base/errors.js';
import type { Durability } from '../../src/base/model.js';
import type { ExecutionEvent } from '../../src/observe/events.js';
import type { Job } from '../../src/pool/index.js';
import { decodeJournalRecord } from '../../src/store/journal-codec.js';
import * as keys from '../../src/store/keys.js';
import type { KvOp } from '../../src/store/kv.js';
import { decodeRecord } from '../../src/store/record-codec.js';
import type { Entry } from '../../src/engine/entries.js';
import { LEAF } from '../../src/engine/columns.js';
import type { DiskUser } from '../../src/simulation/disk.js';
import type { InboxRequest } from '../../src/store/types.js';
import { unsealJson } from '../../src/store/envelope.js';
import { outputOf, type Planned, type Scenario } from './scenario.js';
import { OpenAttempts } from './groups.js';
import { Lineage } from './lineage.js';
import { Shadow } from './shadow.js';
import { asksOf, mayLackInputs } from './triggers.js';
import { demand, Violation } from './violation.js';

/** Sees every commit, dispatch and announcement, and says which promise was broken first. */
export class Witness {
  readonly shadows: Map<string, Shadow>;
  violation: Violation | null = null;
  /** Announced events by execution and id. */
  readonly told = new Map<string, ExecutionEvent>();
  private readonly completed = new Set<string>();
  /** Runs that completed, by execution, journal record and node. */
  private readonly completions = new Map<string, number[]>();
  /** Whose answers are in the inbox, by key. */
  private readonly inbox = new Map<string, Shadow>();
  private readonly owners = new Map<string, string>();
  private readonly attempts = new OpenAttempts();
  private readonly durability: Durability;

  constructor(
    scenario: Scenario,
    /** A node waits from here on. */
    private readonly waits: (shadow: Shadow, node: number) => void = () => {},
  ) {
    this.durability = scenario.durability;
    this.shadows = new Map(scenario.executions.map((planned) => [planned.id, new Shadow(planned)]));
  }

  /** A fork is asked for: it may be stored from here on. */
  expectFork(planned: Planned, source: Shadow, from: readonly number[]): Shadow {
    const shadow = new Shadow(planned, new Lineage(source, from));
    shadow.disturbed = source.disturbed;
    shadow.damaged = source.damaged;
    this.shadows.set(planned.id, shadow);
    return shadow;
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
      for (const op of ops) {
        const shadow = this.shadows.get(executionOf(op.key) ?? '');
        if (op.op !== 'put' || shadow === undefined) continue;
        const { id } = shadow.planned;
        if (shadow.deleted && shadow.starting && creates(ops, id)) shadow.restarted();
        demand(!shadow.deleted, 'DELETED_IS_GONE', `${user.name} wrote ${op.key} after ${id} was deleted`);
        if (!shadow.damaged) this.takeJournal(user, shadow, op.key, op.value);
      }
      for (const op of ops) {
        const shadow = this.shadows.get(executionOf(op.key) ?? '');
        if (shadow === undefined || op.key !== keys.recordKey(shadow.planned.id)) continue;
        if (op.op === 'del') this.takeDeletion(shadow);
        else if (!shadow.damaged) this.takeRecord(shadow, op.value);
      }
      for (const op of ops) if (op.key.startsWith(keys.INBOX)) this.takeRequest(op);
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
      // Who was wrongly taken for dead learns of it at its next commit: until then it goes on from what it knows.
      const isCertain = !shadow.damaged && this.owns(user, shadow);
      const seesAll = isCertain && this.durability === 'sync';
      this.checkInputs(shadow, node, dependencyOutputs, seesAll);
      this.attempts.sent(user.name, job, shadow, seesAll);
      if (!isCertain) return;
      if (this.durability !== 'exit') {
        const again = this.completed.has(`${executionId}/${nodeId}/${run}`);
        demand(
          !again,
          'ANNOUNCED_NEVER_RERUNS',
          `${name} was sent again after it was announced as completed`,
        );
      }
      if (this.durability !== 'sync') return;
      const given = JSON.parse(dependencyOutputs) as object;
      const asks = asksOf(shadow.planned.workflow.spec.nodes[node]);
      for (const dependency of shadow.dependenciesOf(node)) {
        if (asks !== undefined && !(shadow.plan.ids[dependency] in given)) continue;
        const what = `${name} was sent before ${shadow.plan.ids[dependency]} was on disk as completed`;
        demand(shadow.isCompleted(dependency), 'DURABLE_DEPENDENCIES', what);
      }
      const { workflowLeaf } = shadow.state;
      demand(workflowLeaf !== 'cancelled', 'CANCELLED_IS_FINAL', `${name} was sent after the cancellation`);
    });
  }

  /** An attempt has ended, as its process sees it. */
  settled(user: { readonly name: string }, job: Job): void {
    this.attempts.settled(user.name, job);
  }

  /** @param seesAll what is on disk is what the process knows */
  private checkInputs(shadow: Shadow, node: number, dependencyOutputs: string, seesAll: boolean): void {
    const name = `${shadow.planned.id}: ${shadow.plan.ids[node]}`;
    const asks = asksOf(shadow.planned.workflow.spec.nodes[node]);
    const inputs = JSON.parse(dependencyOutputs) as Record<string, { run: number; attempt: number }>;
    for (const dependency of shadow.dependenciesOf(node)) {
      const id = shadow.plan.ids[dependency];
      if (asks !== undefined && !(id in inputs)) {
        const isKnown = seesAll && shadow.isCompleted(dependency);
        const fits = !isKnown || mayLackInputs(shadow, node, asks);
        demand(fits, 'INPUTS', `${name} was sent without the output of ${id}, which has completed`);
        continue;
      }
      demand(id in inputs, 'DEPENDENCIES_FIRST', `${name} was sent without the output of ${id}`);
      const known = seesAll ? shadow.results.get(dependency) : undefined;
      const input = inputs[id];
      const expected =
        known ?? (shadow.speaksForOthers(dependency) ? null : outputOf(id, input.run, input.attempt));
      const fits = expected === null || JSON.stringify(input) === expected;
      demand(fits, 'INPUTS', `${name} got another output of ${id}`);
    }
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
      const run = this.completions.get(`${execution_id}/${event_id!.split('-')[0]}/${node_id}`)?.shift();
      const completion = `${execution_id}/${node_id}/${run}`;
      demand(!this.completed.has(completion), 'TOLD_ONCE', `${name}: completed twice`);
      this.completed.add(completion);
    });
  }

  /** Somebody was told that an execution has this status. */
  acknowledged(executionId: string, status: string): void {
    this.watch(() => {
      const shadow = this.shadows.get(executionId)!;
      if (shadow.damaged || shadow.deleted) return;
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
    this.noteCompletions(shadow, entries);
    shadow.takeRecord(entries);
    for (const { node, event } of entries)
      if (event.type === 'waitStarted' && shadow.state.columns.waits.has(node)) this.waits(shadow, node);
  }

  private noteCompletions(shadow: Shadow, entries: readonly Entry[]): void {
    const runs = new Map<number, number>();
    for (const { node, event } of entries) {
      const run = runs.get(node) ?? shadow.state.columns.run[node];
      if (event.type === 'rerunRequested') runs.set(node, run + 1);
      if (event.type !== 'attemptSucceeded') continue;
      const key = `${shadow.planned.id}/${shadow.sequence}/${shadow.plan.ids[node]}`;
      this.completions.set(key, [...(this.completions.get(key) ?? []), run]);
    }
  }

  private takeDeletion(shadow: Shadow): void {
    const { id } = shadow.planned;
    const status = shadow.record?.status;
    const mayGo = shadow.hasEnded || shadow.forced || shadow.damaged;
    demand(mayGo, 'DELETED_WHEN_ENDED', `${id} was deleted while ${status}`);
    shadow.deleted = true;
  }

  private takeRequest(op: KvOp): void {
    if (op.op === 'del') {
      const shadow = this.inbox.get(op.key);
      this.inbox.delete(op.key);
      shadow?.answers.removed(op.key);
      return;
    }
    let request: InboxRequest;
    try {
      request = unsealJson(op.key, op.value) as InboxRequest;
    } catch (error) {
      if (!isMaestroError(error, 'RECORD_CORRUPT')) throw error;
      return;
    }
    if (request.kind !== 'answer') return;
    const shadow = this.shadows.get(request.executionId)!;
    this.inbox.set(op.key, shadow);
    shadow.answers.put(op.key, request.answer);
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

function creates(ops: readonly KvOp[], id: string): boolean {
  return ops.some(({ op, key }) => op === 'put' && key === keys.contextKey(id));
}
