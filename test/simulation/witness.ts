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
import { childIdOf } from '../../src/base/child-id.js';
import type { CachedResult } from '../../src/store/cached-results.js';
import type { InboxRequest } from '../../src/store/types.js';
import { unseal, unsealJson } from '../../src/store/envelope.js';
import type { Planned, Scenario } from './scenario.js';
import { checkInputs } from './inputs.js';
import { Lineage } from './lineage.js';
import { OpenAttempts, stageIdOf } from './open-attempts.js';
import { Shadow, type Surroundings } from './shadow.js';
import { demand, Violation } from './violation.js';

/** Sees every commit, dispatch and announcement, and says which promise was broken first. */
export class Witness {
  readonly shadows: Map<string, Shadow>;
  violation: Violation | null = null;
  /** Announced events by execution and id. */
  readonly told = new Map<string, ExecutionEvent>();
  private readonly tornKeys = new Set<string>();
  private readonly completed = new Set<string>();
  /** Results that were kept for others, by what they were made from. */
  private readonly kept = new Map<string, string[]>();
  private readonly surroundings: Surroundings = {
    childOf: (parent, node, key) =>
      this.shadows.get(childIdOf(parent.planned.id, parent.plan.ids[node], key)),
    cached: (hash) => this.kept.get(hash) ?? [],
  };
  /** Runs that completed, and iterations, by execution, journal record and node. */
  private readonly completions = new Map<string, number[]>();
  /** Whose answers are in the inbox, by key. */
  private readonly inbox = new Map<string, Shadow>();
  private readonly owners = new Map<string, string>();
  private readonly attempts: OpenAttempts;
  private readonly durability: Durability;

  constructor(
    scenario: Scenario,
    /** A node waits from here on. */
    private readonly waits: (shadow: Shadow, node: number) => void = () => {},
  ) {
    this.durability = scenario.durability;
    this.attempts = new OpenAttempts(scenario.mode !== 'dag_parallel');
    this.shadows = new Map(
      scenario.executions.map((planned) => [planned.id, new Shadow(planned, null, null, this.surroundings)]),
    );
  }

  /** What is known of an execution; of a child from the moment it is heard of. */
  shadowOf(id: string): Shadow | undefined {
    const known = this.shadows.get(id);
    const [, parentId, nodeId] = /^(.+)\+([^+]+)\.\d+\.\d+$/.exec(id) ?? [];
    if (known !== undefined || parentId === undefined) return known;
    const parent = this.shadowOf(parentId)!;
    const planned = parent.planned.children.get(nodeId)!;
    const child = new Shadow({ ...planned, id }, null, parent, this.surroundings);
    child.damaged = parent.damaged || this.tornKeys.has(keys.definitionKey(planned.workflow.definitionHash));
    this.shadows.set(id, child);
    return child;
  }

  /** A fork is asked for: it may be stored from here on. */
  expectFork(planned: Planned, source: Shadow, from: readonly number[]): Shadow {
    const shadow = new Shadow(planned, new Lineage(source, from), null, this.surroundings);
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
      for (const op of ops) if (op.op === 'put') this.takeOutput(op.key, op.value);
      for (const op of ops) this.takeRow(user, op, ops);
      for (const { key } of ops) this.checkStatus(this.shadows.get(executionOf(key) ?? ''));
      for (const op of ops) if (op.key.startsWith(keys.INBOX)) this.takeRequest(op);
      for (const op of ops)
        if (op.op === 'put' && op.key.startsWith(keys.CACHED)) this.checkKept(op.key, op.value);
    });
  }

  /** A row is damaged: what it belongs to can only be reported. */
  torn(key: string): void {
    this.tornKeys.add(key);
    if (key.startsWith(keys.LOGS)) this.tornLog(key.slice(keys.LOGS.length));
    this.shadowOf(executionOf(key) ?? '');
    for (const shadow of this.shadows.values()) {
      const { id, workflow } = shadow.planned;
      if (executionOf(key) === id || key === keys.definitionKey(workflow.definitionHash))
        shadow.damaged = true;
    }
  }

  /** Nobody can tell what its executions had come to. */
  private tornLog(owner: string): void {
    for (const shadow of this.shadows.values()) if (shadow.record?.ownerId === owner) shadow.damaged = true;
  }

  /** An attempt was handed to the pool. */
  dispatched(user: DiskUser, job: Job): void {
    this.watch(() => {
      const { executionId, nodeId, run, dependencyOutputs } = job.call;
      const shadow = this.shadowOf(executionId)!;
      const name = `${executionId}: ${nodeId}`;
      // Who was wrongly taken for dead learns of it at its next commit: until then it goes on from what it knows.
      const isCertain = !shadow.damaged && this.owns(user, shadow);
      const seesAll = isCertain && this.durability === 'sync';
      this.attempts.sent(user.name, job, shadow, seesAll);
      // An item is known by its map's list, which may not be on disk yet.
      const node = shadow.plan.indexOf.get(nodeId);
      demand(
        node !== undefined || !seesAll,
        'DURABLE_DEPENDENCIES',
        `${name} was sent before it was on disk`,
      );
      if (node !== undefined && seesAll) {
        const own = shadow.state.columns.run[node];
        demand(run === own, 'IDEMPOTENCY_KEY', `${name} was sent as run ${run}; on disk it is ${own}`);
      }
      if (node !== undefined) checkInputs(shadow, node, dependencyOutputs, seesAll);
      if (!isCertain || node === undefined) return;
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
      for (const dependency of shadow.inputsOf(node)) {
        if (!(stageIdOf(shadow, shadow.plan.ids[dependency]) in given)) continue;
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

  /** An observer was told. */
  announced(event: ExecutionEvent): void {
    if (event.event_id === undefined) return;
    this.watch(() => {
      const { execution_id, event_id, event_type, node_id } = event;
      const shadow = this.shadowOf(execution_id)!;
      const name = `${execution_id}: ${event_type} ${node_id ?? ''} ${event_id}`;
      if (this.durability === 'exit' || shadow.damaged) return;
      const stored = shadow.sequence > Number(event_id!.split('-')[0]);
      demand(stored, 'DURABLE_BEFORE_TOLD', `${name} was announced before it was on disk`);
      const key = `${execution_id}/${event_id}`;
      demand(!this.told.has(key), 'TOLD_ONCE', `${name} was announced twice`);
      this.told.set(key, event);
      if (event_type !== 'node_completed' && event_type !== 'node_repeated') return;
      const run = this.completions.get(`${execution_id}/${event_id!.split('-')[0]}/${node_id}`)?.shift();
      const completion = `${execution_id}/${node_id}/${run}`;
      demand(!this.completed.has(completion), 'TOLD_ONCE', `${name}: completed twice`);
      this.completed.add(completion);
    });
  }

  /** Somebody was told that an execution has this status. */
  acknowledged(executionId: string, status: string): void {
    this.watch(() => {
      const shadow = this.shadowOf(executionId)!;
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

  /** In the order of the commit: one that held back others (under `exit`) may have several records of an execution. */
  private takeRow(user: DiskUser, op: KvOp, ops: readonly KvOp[]): void {
    const shadow = this.shadowOf(executionOf(op.key) ?? '');
    if (shadow === undefined) return;
    const { id } = shadow.planned;
    const isRecord = op.key === keys.recordKey(id);
    if (op.op === 'del') {
      if (isRecord) this.takeDeletion(shadow);
      return;
    }
    // A child that somebody deletes by force is started anew by the parent that waits for it.
    const { parent, starting } = shadow;
    const mayStart = starting || (parent !== null && (parent.damaged || !parent.hasEnded));
    if (shadow.deleted && mayStart && creates(ops, id)) shadow.restarted();
    demand(!shadow.deleted, 'DELETED_IS_GONE', `${user.name} wrote ${op.key} after ${id} was deleted`);
    if (shadow.damaged) return;
    if (isRecord) this.takeRecord(shadow, op.value);
    else this.takeJournal(user, shadow, op.key, op.value);
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
    shadow.successes = [];
    shadow.takeRecord(entries);
    this.noteCompletions(shadow);
    for (const { node, event } of entries)
      if (event.type === 'waitStarted' && shadow.state.columns.waits.has(node)) this.waits(shadow, node);
  }

  /** Of the record that was taken last. */
  private noteCompletions(shadow: Shadow): void {
    for (const { node, run } of shadow.successes) {
      const key = `${shadow.planned.id}/${shadow.sequence - 1}/${shadow.plan.ids[node]}`;
      this.completions.set(key, [...(this.completions.get(key) ?? []), run]);
    }
  }

  /** Results that have rows of their own: they are there before whoever names them. */
  private takeOutput(key: string, value: Uint8Array): void {
    if (this.isTorn(key, value)) return;
    const shadow = this.shadowOf(executionOf(key) ?? '');
    if (key.startsWith(keys.CACHED)) {
      const { output } = unsealJson(key, value) as CachedResult;
      const hash = key.slice(keys.CACHED.length);
      this.kept.set(hash, [...(this.kept.get(hash) ?? []), output]);
    } else if (shadow !== undefined && key.startsWith(keys.outputsPrefix(shadow.planned.id))) {
      const { node, run } = keys.outputOf(key);
      shadow.large.set(`${node}/${run}`, Buffer.from(unseal(key, value)).toString());
    }
  }

  /** Until it is written again. */
  private isTorn(key: string, value: Uint8Array): boolean {
    if (!this.tornKeys.has(key)) return false;
    try {
      unseal(key, value);
      return false;
    } catch {
      return true;
    }
  }

  /** What is kept for others is a result that counts. */
  private checkKept(key: string, value: Uint8Array): void {
    if (this.isTorn(key, value)) return;
    const { executionId, nodeId, output } = unsealJson(key, value) as CachedResult;
    const shadow = this.shadowOf(executionId)!;
    if (shadow.damaged || this.durability === 'exit') return;
    const had = shadow.had(shadow.plan.indexOf.get(nodeId)!, output);
    demand(had, 'CACHE', `${executionId}: what was kept of ${nodeId} was never its result`);
  }

  private takeDeletion(shadow: Shadow): void {
    const { id } = shadow.planned;
    const status = shadow.record?.status;
    const mayGo = shadow.hasEnded || shadow.forced || shadow.damaged || goesWithParent(shadow);
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
    const shadow = this.shadowOf(request.executionId)!;
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
    if (shadow.hasEnded) shadow.endings.add(record.status);
    if (before === null || before.status === record.status) return;
    this.checkStatus(shadow);
    const { columns } = shadow.state;
    // Items are counted with their map.
    const counts = columns.counts.map((count, leaf) => count - columns.itemCounts.at(leaf));
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

  private checkStatus(shadow: Shadow | undefined): void {
    if (shadow === undefined || shadow.damaged || shadow.deleted || shadow.record === null) return;
    const { planned, record, state } = shadow;
    const what = `${planned.id} is ${record.status}, its journal says ${state.workflowLeaf}`;
    demand(record.status === state.workflowLeaf, 'RECORD_AGREES', what);
  }
}

function executionOf(key: string): string | undefined {
  return /^x\/([^/]+)\//.exec(key)?.[1];
}

function creates(ops: readonly KvOp[], id: string): boolean {
  return ops.some(({ op, key }) => op === 'put' && key === keys.contextKey(id));
}

/** It goes with its parent, which goes after it: also one that was taken up by itself again, and rests. */
function goesWithParent({ parent, record }: Shadow): boolean {
  if (parent === null) return false;
  const isWithIt = parent.hasEnded && record?.status === 'paused';
  return isWithIt || parent.forced || parent.damaged || parent.deleted || goesWithParent(parent);
}
