import type { ErrorDocument } from '../base/errors.js';
import type { ContractVerdict, EndedIteration, NodeOutput, ReviewComment, Wait } from '../base/model.js';
import type { Expansion } from '../graph/index.js';
import type { EdgeRow } from './edge-verdicts.js';
import type { RestartWindow } from '../policy/restart-intensity.js';
import type {
  Ending,
  NodeContext,
  NodeEvent,
  RerunLimit,
  WorkflowContext,
  WorkflowEvent,
} from '../../machines/events.js';

/** The index that stands for the workflow itself where a node index is expected. */
export const WORKFLOW = -1;

/**
 * One accepted machine event: the unit of the journal. Replaying an execution's entries in order through its
 * machines gives its state. `node` is a dense plan index, or WORKFLOW.
 */
export type Entry =
  | { readonly node: number; readonly event: NodeEvent; readonly atMs: number }
  | { readonly node: typeof WORKFLOW; readonly event: WorkflowEvent; readonly atMs: number };

/** An entry that is decided and not durable yet, with where its machine was before it. */
export type OpenEntry = Entry & {
  readonly fromLeaf: number;
  readonly from: NodeContext | WorkflowContext;
};

/** Narrows an entry to the workflow's own. */
export function isWorkflowEntry(
  entry: Entry,
): entry is { readonly node: typeof WORKFLOW; readonly event: WorkflowEvent; readonly atMs: number } {
  return entry.node === WORKFLOW;
}

/** The state of one node in a checkpoint: the columns of the engine, one row. */
export interface NodeRow {
  /** Index into NODE_LEAVES. */
  leaf: number;
  attempt: number;
  run: number;
  /** Epoch ms; 0 when unset. */
  startedAtMs: number;
  endedAtMs: number;
  wakeAtMs: number;
  output: NodeOutput | null;
  artifacts: readonly string[];
  error: ErrorDocument | null;
  /** Why it was skipped, or null. */
  condition: string | null;
  /** What it waits for while it runs, or null. */
  wait: Wait | null;
  comments: readonly ReviewComment[];
  /** The iteration of its loop that ended last; null when none has. */
  iteration: EndedIteration | null;
  contracts: readonly ContractVerdict[];
}

/** The state of the workflow itself in a checkpoint. */
export interface WorkflowRow {
  /** Index into WORKFLOW_LEAVES. */
  leaf: number;
  startedAtMs: number;
  endedAtMs: number;
  /** When it was last taken up again after its end; absent when it never was. */
  reopenedAtMs?: number;
  failedNode: number;
  error: ErrorDocument | null;
  /** How it ends, or ended, when its nodes were compensated; absent otherwise. */
  compensating?: Ending;
  /** Nodes whose results were kept from before, and what those were made from; absent when there are none. */
  cached?: readonly (readonly [node: number, hash: string])[];
  /** Absent when no rerun has left failures. */
  rerun?: RerunLimit;
  /** Nodes that keep results whose inputs were made again since; absent when there are none. */
  outdated?: readonly number[];
  /** When each group was restarted since a retry or rerun was last asked for, newest first; absent when none was. */
  restarts?: readonly (readonly [group: number, times: RestartWindow])[];
  /** Absent when there have been none. */
  signals?: SignalsRow;
  /** What conditions on edges came to; absent when none was evaluated. */
  edges?: readonly EdgeRow[];
  /**
   * Ids of the nodes that could be compensated, in the order in which they completed: times do not tell, the clock may
   * have been set. Absent when there are none.
   */
  completions?: readonly string[];
  /** What maps go over; absent when no list has been evaluated. */
  maps?: readonly Expansion[];
}

/** The signals of an execution. */
export interface SignalsRow {
  /** Those that no node has taken yet, in order; payloads are JSON text. */
  readonly open: readonly { readonly name: string; readonly payload: string }[];
  /** Ids of all that had one. */
  readonly ids: readonly string[];
}
