import type { Ending, NodeEvent, WorkflowEvent } from '../../machines/events.js';
import { invariant } from '../base/assert.js';
import { childIdOf } from '../base/child-id.js';
import type { ContractVerdict, EndedIteration, NodeOutput, Wait } from '../base/model.js';
import { grown } from '../base/grown.js';
import { RareMap } from '../base/rare-map.js';
import { WORKFLOW, type Entry } from '../engine/entries.js';
import { carriedExpansions, growingPlan, type Plan } from '../graph/index.js';
import { eventId } from './event-id.js';
import type { EventType, ExecutionEvent } from './events.js';

/** What events say about an execution besides what its journal holds. */
export interface EventSource {
  readonly workflowId: string;
  readonly executionId: string;
  /** Grows with the entries that tell of items of maps, unless it has grown with their execution. */
  readonly plan: Plan;
  maxAttemptsOf(node: number): number;
  /** Source of the condition on an edge. */
  edgeConditionOf(from: number, to: number): string | undefined;
  /** JSON text of the global context at the start. */
  readonly initialContext: string;
}

/**
 * Turns journal entries into canonical events, live and from the store alike. Entries must come in order, from the
 * first one or from the point at which `attempts` and `completed` were taken: the attempt number of an event is
 * counted here, so that the journal need not carry it.
 */
export class EventDeriver {
  /** Which nodes are completed, and how many. */
  private done: Uint8Array;
  private completed = 0;
  /** Ended iterations, of the nodes that have any. */
  private readonly iterations = new RareMap<number, number>();

  /** By hash: what is said once the execution has gone over to that definition. */
  private readonly sources = new RareMap<string, EventSource>();

  constructor(
    private source: EventSource,
    private attempts = new Int32Array(source.plan.nodeCount),
    completed?: Uint8Array,
    /** Of nodes that repeat: the iteration that ended last. */
    iterations?: ReadonlyMap<number, EndedIteration>,
  ) {
    this.done = completed ?? new Uint8Array(source.plan.nodeCount);
    for (let node = 0; node < source.plan.fixedCount; node++) this.completed += this.done[node];
    iterations?.forEach(({ number }, node) => this.iterations.set(node, number));
  }

  /** Entries that come may tell that the execution goes on under this definition. Its plan has not grown. */
  prepare(definitionHash: string, source: EventSource): void {
    this.sources.set(definitionHash, source);
  }

  /** Takes the entries of one journal record without building events. */
  skip(entries: readonly Entry[]): void {
    for (const { node, event } of entries)
      if (node !== WORKFLOW) this.count(node, event.type);
      else if (event.type === 'mapExpanded') this.expand(event);
      else if (event.type === 'migrated') this.goOver(event.to);
  }

  /** The events of one journal record. Their ids order as the record's sequence, then the position within it. */
  derive(sequence: number, entries: readonly Entry[]): ExecutionEvent[] {
    const events: ExecutionEvent[] = [];
    for (const entry of entries) {
      if (entry.event.type === 'migrated') this.goOver(entry.event.to);
      const { source } = this;
      const { ids } = source.plan;
      const push = (type: EventType, data: Record<string, unknown>): void => {
        const event: ExecutionEvent = {
          event_id: eventId(sequence, events.length),
          event_type: type,
          workflow_id: source.workflowId,
          execution_id: source.executionId,
          timestamp: new Date(entry.atMs).toISOString(),
          data,
        };
        const { node } = entry;
        if (node !== WORKFLOW) event.node_id = ids[node];
        else if (entry.event.type === 'groupRestarted') event.node_id = ids[entry.event.group];
        else if (entry.event.type === 'mapExpanded') event.node_id = ids[this.mapIdOf(entry.event.node)];
        events.push(event);
      };
      if (entry.node === WORKFLOW) this.ofWorkflow(entry.event as WorkflowEvent, push);
      else {
        this.count(entry.node, entry.event.type);
        this.ofNode(entry.node, entry.event as NodeEvent, entry.atMs, push);
      }
    }
    return events;
  }

  /** node_progress is told live only: it is not part of the history. */
  progress(node: number, atMs: number, fraction: number, message: string | undefined): ExecutionEvent {
    return {
      event_type: 'node_progress',
      workflow_id: this.source.workflowId,
      execution_id: this.source.executionId,
      node_id: this.source.plan.ids[node],
      timestamp: new Date(atMs).toISOString(),
      data: message === undefined ? { fraction } : { fraction, message },
    };
  }

  /** From here on nodes have the numbers of another plan. */
  private goOver(definitionHash: string): void {
    const next = this.sources.get(definitionHash);
    invariant(next !== undefined, 'an execution goes over to a definition that nobody has prepared');
    const { plan } = this.source;
    growingPlan(next.plan)?.restore(carriedExpansions(plan, next.plan));
    const { attempts, done } = this;
    const iterations = [...this.iterations];
    this.source = next;
    this.attempts = new Int32Array(next.plan.nodeCount);
    this.done = new Uint8Array(next.plan.nodeCount);
    this.iterations.clear();
    plan.ids.forEach((id, node) => {
      const at = next.plan.indexOf.get(id);
      if (at === undefined) return;
      this.attempts[at] = attempts[node];
      this.done[at] = done[node];
    });
    for (const [node, number] of iterations) {
      const at = next.plan.indexOf.get(plan.ids[node]);
      if (at !== undefined) this.iterations.set(at, number);
    }
  }

  private count(node: number, type: Entry['event']['type']): void {
    if (type === 'attemptStarted' || type === 'waitStarted') this.attempts[node]++;
    else if (type === 'recovered') this.attempts[node]--;
    else if (type === 'attemptSucceeded') this.setDone(node, 1);
    else if (type === 'iterationEnded') {
      this.attempts[node] = 0;
      this.iterations.set(node, this.iterationOf(node));
    } else if (type === 'rerunRequested') {
      this.attempts[node] = 0;
      this.iterations.delete(node);
      this.setDone(node, 0);
    }
  }

  private iterationOf(node: number): number {
    return (this.iterations.get(node) ?? 0) + 1;
  }

  /** From the second iteration on events say which it is. */
  private loopData(node: number): { iteration?: number } {
    return this.iterations.has(node) ? { iteration: this.iterationOf(node) } : {};
  }

  /** @returns how many item nodes it made */
  private expand({ node, run, items, digest }: Extract<WorkflowEvent, { type: 'mapExpanded' }>): number {
    const { plan } = this.source;
    const made = growingPlan(plan)?.expand(node, run, items, digest) ?? 0;
    this.attempts = grown(this.attempts, plan.nodeCount);
    this.done = grown(this.done, plan.nodeCount);
    return made;
  }

  /** The node that a map is known by: the one that has it, or its group. */
  private mapIdOf(gate: number): number {
    const { maps, mapOf } = this.source.plan;
    const group = maps[mapOf.get(gate)!].group;
    return group < 0 ? gate : group;
  }

  private setDone(node: number, flag: 0 | 1): void {
    if (node < this.source.plan.fixedCount) this.completed += flag - this.done[node];
    this.done[node] = flag;
  }

  private ofWorkflow(
    event: WorkflowEvent,
    push: (type: EventType, data: Record<string, unknown>) => void,
  ): void {
    switch (event.type) {
      case 'started':
        return push('workflow_started', {
          initial_context: JSON.parse(this.source.initialContext) as unknown,
        });
      case 'pauseRequested':
        return push('workflow_paused', {});
      case 'resumeRequested':
        return push('workflow_resumed', {});
      case 'retryRequested':
        return push('workflow_resumed', { retry: true });
      case 'rerunRequested':
        return push('workflow_resumed', { rerun: this.source.plan.ids[event.node], cascade: event.cascade });
      case 'groupRestarted':
        return push('group_restarted', { failed_node: this.source.plan.ids[event.node] });
      case 'mapExpanded':
        return push('map_expanded', { items: event.items, new_nodes: this.expand(event) });
      case 'migrated': {
        const { from, to, added, removed, changed } = event;
        return push('workflow_migrated', { from, to, added, removed, changed });
      }
      case 'compensationStarted':
        return push('workflow_compensating', this.endingData(event.ending));
      case 'allNodesSettled':
        return push('workflow_completed', { completed_nodes: this.completed });
      case 'nodeFailedForGood':
        return push('workflow_failed', {
          failed_node: this.source.plan.ids[event.node],
          error: event.error.message,
        });
      case 'abandoned':
        return push('workflow_failed', { failed_node: null, error: event.error.message });
      case 'signalReceived':
        return push('workflow_signal_received', {
          signal: event.name,
          payload: JSON.parse(event.payload) as unknown,
          ...(event.id !== null && { signal_id: event.id }),
        });
      case 'cancelRequested':
        return push('workflow_cancelled', event.reason === undefined ? {} : { reason: event.reason });
    }
  }

  /** How an execution is going to end, once its nodes are compensated. */
  private endingData(ending: Ending): Record<string, unknown> {
    if (ending.kind === 'cancelled')
      return { after: 'cancelled', ...(ending.reason !== undefined && { reason: ending.reason }) };
    const failed_node = ending.kind === 'failed' ? this.source.plan.ids[ending.node] : null;
    return { after: 'failed', failed_node, error: ending.error.message };
  }

  private edgeData(
    node: number,
    { from, verdict }: NodeEvent & { type: 'edgeEvaluated' },
  ): Record<string, unknown> {
    return {
      from: this.source.plan.ids[from],
      condition: this.source.edgeConditionOf(from, node) ?? null,
      taken: verdict.taken,
      ...(verdict.taken === null && { error: verdict.error.message }),
    };
  }

  private ofNode(
    node: number,
    event: NodeEvent,
    atMs: number,
    push: (type: EventType, data: Record<string, unknown>) => void,
  ): void {
    const attempt = this.attempts[node];
    switch (event.type) {
      case 'dependenciesMet':
        return push('node_ready', {});
      case 'dependencyFailed':
        return push('node_blocked', { by: this.source.plan.ids[event.by] });
      case 'dependencyRestored':
        return push('node_recovered', { reason: 'dependency_rerun' });
      case 'conditionNotMet':
        return push('node_skipped', { condition: event.condition });
      case 'attemptStarted':
        return push('node_started', {
          attempt,
          max_attempts: this.source.maxAttemptsOf(node),
          ...this.loopData(node),
        });
      case 'waitStarted':
        return push('node_started', {
          attempt,
          max_attempts: event.kind === 'child' ? this.source.maxAttemptsOf(node) : 1,
          ...this.loopData(node),
          waiting_for: waitDocument(event, this.source.executionId, this.source.plan.ids[node]),
        });
      case 'waitEnded':
        return;
      case 'cacheHit':
        return push('node_cached', { hash: event.hash });
      case 'edgeEvaluated':
        return push('edge_evaluated', this.edgeData(node, event));
      case 'commented':
        return push('node_commented', { comment: event.text, reviewer: event.reviewer });
      case 'contractsChecked':
        for (const verdict of event.verdicts) push(contractEvent(verdict), contractDocument(verdict));
        return;
      case 'attemptSucceeded':
        return push('node_completed', {
          ...outputData(event.output),
          attempt,
          ...this.loopData(node),
          execution_time_seconds: event.durationMs / 1000,
        });
      case 'iterationEnded':
        return push('node_repeated', {
          iteration: this.iterations.get(node),
          ...outputData(event.output),
          delay: event.nextAtMs === undefined ? 0 : (event.nextAtMs - atMs) / 1000,
          execution_time_seconds: event.durationMs / 1000,
        });
      case 'attemptFailed':
      case 'timedOut':
        return failure(event, attempt, atMs, push);
      case 'recovered':
        return push('node_recovered', { reason: event.reason });
      case 'cancelRequested':
        return push('node_cancelled', {});
      case 'rerunRequested':
        return push('node_recovered', { reason: 'rerun' });
    }
  }
}

/** What a node waits for, as events and documents say it. `until`: when the wait ends by itself. */
export function waitDocument(
  { kind, signal, wakeAtMs }: Wait,
  executionId: string,
  nodeId: string,
): Record<string, unknown> {
  if (kind === 'child') return { kind, execution_id: childIdOf(executionId, nodeId, signal!) };
  const until = wakeAtMs > 0 ? new Date(wakeAtMs).toISOString() : null;
  return { kind, ...(signal !== null && { signal }), until };
}

function contractEvent({ side, problems }: ContractVerdict): EventType {
  if (side === 'input') return 'contract_unverified';
  return problems.length === 0 ? 'contract_verified' : 'contract_breached';
}

/** What became of a contract at a node, as events and documents say it. */
export function contractDocument({
  contract,
  side,
  severity,
  status,
  problems,
}: ContractVerdict): Record<string, unknown> {
  return { contract, side, severity, status, ...(problems.length > 0 && { problems }) };
}

/** A large output is told by its size: its text is a row of its own, read with the node's detail. */
function outputData(output: NodeOutput): Record<string, unknown> {
  if (typeof output === 'string') return { output: JSON.parse(output) as unknown };
  return { output: null, output_size_bytes: output.sizeBytes };
}

/** A failure, and what follows when it is tried again. */
function failure(
  event: NodeEvent & { type: 'attemptFailed' | 'timedOut' },
  attempt: number,
  atMs: number,
  push: (type: EventType, data: Record<string, unknown>) => void,
): void {
  const { message: error, code, name } = event.error;
  const retryAtMs = event.type === 'attemptFailed' ? event.retryAtMs : undefined;
  const will_retry = retryAtMs !== undefined;
  push('node_failed', { error, error_code: code ?? name, attempts: attempt, will_retry });
  if (will_retry) push('node_retry', { attempt: attempt + 1, delay: (retryAtMs - atMs) / 1000, error });
}
