import { MaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import { LEAF } from './columns.js';
import type { EngineDefinition } from './definition.js';
import type { Effect } from './effects.js';
import { WORKFLOW } from './entries.js';
import type { ExecutionState } from './execution-state.js';
import type { Starts } from './starts.js';

interface DeadlinesHost {
  act(effect: Effect): void;
  /** The time of a node is over, whether it runs or waits for its next attempt. */
  nodeIsOver(node: number, error: ErrorDocument, atMs: number): void;
  workflowIsOver(error: ErrorDocument, atMs: number): void;
}

/**
 * How long a node may take over all its attempts, and an execution as a whole. A deadline is an absolute time that
 * follows from what is stored: when it began, or when the execution was last taken up again after its end. So it
 * stays the same across restarts, and time in which nobody ran the execution, or it was paused, counts.
 */
export class Deadlines {
  constructor(
    private readonly definition: EngineDefinition,
    private readonly state: ExecutionState,
    private readonly starts: Starts,
    private readonly host: DeadlinesHost,
  ) {}

  /** The execution has begun, or was taken up again. */
  armWorkflow(): void {
    if (this.definition.timeoutSeconds !== null) this.arm(WORKFLOW);
  }

  /** An attempt or a wait of the node has begun. */
  armNode(node: number): void {
    if (this.definition.hasTotalTimeouts) this.arm(node);
  }

  /** After a restore, and when nodes start over: everything that is under way. */
  armAll(): void {
    if (!this.isOpen) return;
    this.armWorkflow();
    for (const node of this.timed()) this.arm(node);
  }

  /** Whose time is over at this moment. */
  overdue(atMs: number): number[] {
    const candidates = this.definition.timeoutSeconds === null ? this.timed() : [WORKFLOW, ...this.timed()];
    return candidates.filter((node) => this.matters(node) && this.dueMs(node) <= atMs);
  }

  /** The same as a question about a node: whether its time is over, or that of the execution. */
  isOver(atMs: number): (node: number) => boolean {
    const over = new Set(this.overdue(atMs));
    return over.has(WORKFLOW) ? () => true : (node) => over.has(node);
  }

  /** A deadline has come, or one that no longer matters. */
  passed(node: number, atMs: number): void {
    if (!this.matters(node)) return;
    // The clock stepped back in the meantime, or the node has begun anew.
    if (this.dueMs(node) > atMs) return this.arm(node);
    if (node === WORKFLOW) this.host.workflowIsOver(this.workflowError(), atMs);
    else this.host.nodeIsOver(node, this.nodeError(node), atMs);
  }

  private arm(node: number): void {
    const atMs = this.dueMs(node);
    if (atMs < Infinity) this.host.act({ kind: 'deadline', node, atMs });
  }

  /** Infinity: never. */
  private dueMs(node: number): number {
    const { beganAtMs, columns } = this.state;
    const seconds = node === WORKFLOW ? this.definition.timeoutSeconds : this.definition.totalTimeoutOf(node);
    const sinceMs = node === WORKFLOW ? beganAtMs : Math.max(beganAtMs, columns.startedAtMs[node]);
    const hasBegun = node === WORKFLOW || columns.startedAtMs[node] > 0;
    return seconds === null || !hasBegun ? Infinity : sinceMs + Math.ceil(seconds * 1000);
  }

  /** Whether its time counts now. What fail_fast or a rerun holds back from its next attempt is at rest. */
  private matters(node: number): boolean {
    const { columns } = this.state;
    if (!this.isOpen) return false;
    // What compensates may take its own time.
    if (node === WORKFLOW) return this.state.workflowContext.compensating === null;
    if (columns.leaf[node] === LEAF.running) return true;
    if (columns.leaf[node] !== LEAF.ready && columns.leaf[node] !== LEAF['failed.retrying']) return false;
    return this.starts.allows(node) && !(this.starts.isHalted && this.starts.holdsBack(node));
  }

  private get isOpen(): boolean {
    return this.state.workflowLeaf === 'running' || this.state.workflowLeaf === 'paused';
  }

  /** The nodes that have begun and not ended, and may only take so long. O(nodes) */
  private timed(): number[] {
    if (!this.definition.hasTotalTimeouts) return [];
    return this.state.columns
      .nodesIn(LEAF.running, LEAF.ready, LEAF['failed.retrying'])
      .filter((node) => this.dueMs(node) < Infinity);
  }

  private nodeError(node: number): ErrorDocument {
    const { columns, plan } = this.state;
    const seconds = this.definition.totalTimeoutOf(node);
    const last = columns.error.get(node);
    const attempts = columns.attempt[node];
    const why = last === undefined ? '' : `; attempt ${attempts} had failed: ${last.message}`;
    const isWaiting = columns.leaf[node] !== LEAF.running;
    const message = `node "${plan.ids[node]}" took longer than ${seconds} s over all its attempts (total_timeout_seconds)${isWaiting ? why : ''}`;
    return documentOf(new MaestroError('NODE_TIMEOUT', message, { details: { attempts } }));
  }

  private workflowError(): ErrorDocument {
    const message = `the execution took longer than ${this.definition.timeoutSeconds} s (workflow.timeout_seconds)`;
    return documentOf(new MaestroError('WORKFLOW_TIMEOUT', message));
  }
}

/** A stack of the engine's own says nothing to users. */
function documentOf(error: MaestroError): ErrorDocument {
  const { stack: _, ...document } = toErrorDocument(error);
  return document;
}
