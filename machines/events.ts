import type { ErrorDocument } from '../src/base/errors.js';
import type { ContractVerdict, NodeOutput, Wait, WaitEnd } from '../src/base/model.js';

/**
 * What can happen to a node. Past facts, or requests. These are what the journal keeps: replaying a node's
 * events through its machine gives its state.
 */
export type NodeEvent =
  | { type: 'dependenciesMet' }
  /** `by` is the dense index of the dependency that failed, is blocked or was cancelled. */
  | { type: 'dependencyFailed'; by: number }
  | { type: 'dependencyRestored' }
  /** `condition` says what was not met, as text for people. */
  | { type: 'conditionNotMet'; condition: string }
  | { type: 'attemptStarted' }
  | { type: 'attemptSucceeded'; output: NodeOutput; artifacts: readonly string[]; durationMs: number }
  /** With `retryAtMs` the node will be tried again then; without it the failure is final. */
  | { type: 'attemptFailed'; error: ErrorDocument; durationMs: number; retryAtMs?: number }
  /**
   * It goes back to the start, uncharged: its worker or process died under it, or the workflow failed while it waited.
   */
  | { type: 'recovered'; reason: 'process' | 'worker' | 'halted' }
  | { type: 'cancelRequested' }
  | { type: 'rerunRequested' }
  /** An attempt that executes nothing: the node waits, without a thread. */
  | ({ type: 'waitStarted' } & Wait)
  /** The success or failure that it leads to follows at once. */
  | { type: 'waitEnded'; by: WaitEnd }
  | { type: 'commented'; text: string; reviewer: string | null }
  /** What became of its contracts: before its start those it needs, before its end those it promised. */
  | { type: 'contractsChecked'; verdicts: readonly ContractVerdict[] }
  /** The condition on the edge from a completed dependency was evaluated. `from` is a dense index. */
  | { type: 'edgeEvaluated'; from: number; verdict: EdgeVerdict }
  /** An attempt of a node that repeats succeeded, and its loop goes on: the next run may start, at `nextAtMs` if given. */
  | { type: 'iterationEnded'; output: NodeOutput; durationMs: number; nextAtMs?: number }
  /** Its time over all attempts is over: it fails for good, whatever it was at. */
  | { type: 'timedOut'; error: ErrorDocument }
  /** What it gives is what a step like it gave from the same before; its success follows at once. */
  | { type: 'cacheHit'; hash: string };

/** What happens to nearly every node: said by the same objects, which nobody may change. */
export const DEPENDENCIES_MET: NodeEvent = { type: 'dependenciesMet' };
export const ATTEMPT_STARTED: NodeEvent = { type: 'attemptStarted' };

/** What the condition on an edge came to; null: it could not be evaluated. */
export type EdgeVerdict =
  { readonly taken: boolean } | { readonly taken: null; readonly error: ErrorDocument };

/** What can happen to a workflow. */
export type WorkflowEvent =
  | { type: 'started' }
  | { type: 'pauseRequested' }
  | { type: 'resumeRequested' }
  | { type: 'allNodesSettled' }
  /** `node` is the dense index of the first node that failed for good. */
  | { type: 'nodeFailedForGood'; node: number; error: ErrorDocument }
  | { type: 'cancelRequested'; reason?: string }
  | { type: 'retryRequested' }
  /**
   * One node is to run again, with `cascade` and what depends on it. `standing`: failures that stay as they are and
   * would stop everything (fail_fast); while there are such, only `nodes` may start. Dense indices.
   */
  | { type: 'rerunRequested'; node: number; cascade: boolean; standing: number; nodes: readonly number[] }
  /** A member of a group failed for good, and nodes start over: their own events say which. Dense indices. */
  | { type: 'groupRestarted'; group: number; node: number }
  /**
   * The list that a map goes over is known: so many item nodes there are from now on. `node`: where the map begins,
   * and `run`: in which run of that. Lists with equal digests are the same.
   */
  | { type: 'mapExpanded'; node: number; run: number; items: number; digest: string }
  /**
   * It goes on under another definition, `to`: nodes of what follows are those of that one. Both are hashes; ids tell what
   * the difference is.
   */
  | ({ type: 'migrated' } & Migrated)
  /** It was given up, because nobody ran it for too long, or its time is over: `error` says by what rule. */
  | { type: 'abandoned'; error: ErrorDocument }
  /** It ends so, once what compensates its completed nodes has run. */
  | { type: 'compensationStarted'; ending: Ending }
  /** `payload` is JSON text; `id`, when the sender gave one, tells a signal sent again. */
  | { type: 'signalReceived'; name: string; payload: string; id: string | null };

/** From which definition to which an execution went over, and ids of the nodes that make the difference. */
export interface Migrated {
  readonly from: string;
  readonly to: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/**
 * Event types in the order of their codes in the journal. Append only: a code is part of the stored format.
 */
export const NODE_EVENT_TYPES = [
  'dependenciesMet',
  'dependencyFailed',
  'dependencyRestored',
  'conditionNotMet',
  'attemptStarted',
  'attemptSucceeded',
  'attemptFailed',
  'recovered',
  'cancelRequested',
  'rerunRequested',
  'waitStarted',
  'waitEnded',
  'commented',
  'edgeEvaluated',
  'iterationEnded',
  'timedOut',
  'contractsChecked',
  'cacheHit',
] as const satisfies readonly NodeEvent['type'][];

export const WORKFLOW_EVENT_TYPES = [
  'started',
  'pauseRequested',
  'resumeRequested',
  'allNodesSettled',
  'nodeFailedForGood',
  'cancelRequested',
  'retryRequested',
  'abandoned',
  'signalReceived',
  'rerunRequested',
  'groupRestarted',
  'compensationStarted',
  'mapExpanded',
  'migrated',
] as const satisfies readonly WorkflowEvent['type'][];

/** Leaf states in the order of their codes in snapshots. Append only. `failed` has two leaves. */
export const NODE_LEAVES = [
  'pending',
  'ready',
  'running',
  'completed',
  'failed.retrying',
  'failed.exhausted',
  'skipped',
  'blocked',
  'cancelled',
] as const;
export type NodeLeaf = (typeof NODE_LEAVES)[number];

export const WORKFLOW_LEAVES = ['pending', 'running', 'paused', 'completed', 'failed', 'cancelled'] as const;
export type WorkflowLeaf = (typeof WORKFLOW_LEAVES)[number];

/** What a node machine remembers besides its state. */
export interface NodeContext {
  /** Attempts charged so far in this run; the current one included while running. */
  attempt: number;
  /** 0 at first, +1 for each explicit rerun and each further iteration. Part of the idempotency key. */
  run: number;
  /** When a retry or iteration is due or a wait ends by itself, in epoch milliseconds; 0 when none is. */
  wakeAtMs: number;
  /** The last failure; null when there is none. */
  error: ErrorDocument | null;
}

/** How an execution ends: by a node that failed for good (a dense index), by its time, or by a user. */
export type Ending =
  | { readonly kind: 'failed'; readonly node: number; readonly error: ErrorDocument }
  | { readonly kind: 'timedOut'; readonly error: ErrorDocument }
  | { readonly kind: 'cancelled'; readonly reason?: string };

/** What a workflow machine remembers besides its state. */
export interface WorkflowContext {
  /** The failure that ended the workflow; null otherwise. */
  error: ErrorDocument | null;
  /** Dense index of the node that failed for good; -1 otherwise. */
  failedNode: number;
  /** What a rerun may start in spite of failures that it left; null when there is no such limit. */
  rerun: RerunLimit | null;
  /** How it ends, or ended, when its nodes were compensated before; null otherwise. */
  compensating: Ending | null;
}

/** Failures that a rerun has left, and the nodes that may start in spite of them. */
export interface RerunLimit {
  readonly standing: number;
  readonly nodes: readonly number[];
}
