import type { ErrorDocument } from '../base/errors.js';
import type { ContractVerdict, NodeOutput } from '../base/model.js';
import type { Decision } from '../policy/wait.js';

/** What the engine asks of the world. Each is answered with an engine event. */
export type Effect =
  /** Run an attempt. It may be sent as soon as the turn `readyTurn` is durable. */
  | {
      readonly kind: 'dispatch';
      readonly node: number;
      readonly attempt: number;
      readonly run: number;
      readonly readyTurn: number;
    }
  /** Stop the attempt that runs; its result no longer matters. */
  | { readonly kind: 'cancel'; readonly node: number; readonly reason?: ErrorDocument }
  /**
   * Evaluate the node's condition, or with `from` that on the edge from there; answer with conditionEvaluated and the
   * number of the question.
   */
  | { readonly kind: 'evaluate'; readonly node: number; readonly from?: number; readonly question: number }
  /** An iteration has ended: evaluate the node's `until`; answer with iterationJudged. */
  | {
      readonly kind: 'judge';
      readonly node: number;
      readonly run: number;
      readonly iteration: number;
      readonly output: NodeOutput;
    }
  /** Start the child execution of this attempt, unless it was started before; answer its end with childEnded. */
  | { readonly kind: 'child'; readonly node: number; readonly key: string }
  /** Do this with that execution. */
  | {
      readonly kind: 'steerChild';
      readonly node: number;
      readonly key: string;
      readonly what: 'cancel' | 'pause' | 'resume';
    }
  /** Evaluate the list of a map, whose gate this is; answer with mapEvaluated and the number of the question. */
  | { readonly kind: 'expand'; readonly node: number; readonly question: number }
  /** Store an output that the entries of this turn name by its size. */
  | { readonly kind: 'keep'; readonly node: number; readonly run: number; readonly text: string }
  /** The values of a map's items are not needed any more. */
  | { readonly kind: 'closed'; readonly map: number }
  /** Send `woke` at the given time. */
  | { readonly kind: 'wake'; readonly node: number; readonly atMs: number }
  /** Send `deadlinePassed` at the given time; WORKFLOW for the execution's own. Beside what wakes the node. */
  | { readonly kind: 'deadline'; readonly node: number; readonly atMs: number };

/** What the world tells the engine: facts about attempts, and requests of users. */
export type EngineEvent =
  | { readonly type: 'startRequested' }
  | AttemptSuccess
  | {
      readonly type: 'attemptFailed';
      readonly node: number;
      readonly run: number;
      readonly attempt: number;
      readonly error: ErrorDocument;
      readonly durationMs: number;
      /** Why it failed, when it breached one. */
      readonly contracts?: readonly ContractVerdict[];
    }
  /** Its worker died through no fault of this attempt: it may run again, uncharged. */
  | { readonly type: 'attemptLost'; readonly node: number; readonly run: number; readonly attempt: number }
  | {
      readonly type: 'conditionEvaluated';
      readonly node: number;
      /** Of the condition on an edge: where that comes from. */
      readonly from?: number;
      readonly question: number;
      readonly verdict: ConditionVerdict;
    }
  | {
      readonly type: 'iterationJudged';
      readonly node: number;
      readonly run: number;
      readonly verdict: ConditionVerdict;
    }
  | ChildEnd
  | {
      readonly type: 'mapEvaluated';
      readonly node: number;
      readonly question: number;
      readonly list: MapList;
    }
  | { readonly type: 'woke'; readonly node: number }
  | { readonly type: 'deadlinePassed'; readonly node: number }
  | { readonly type: 'pauseRequested' }
  | { readonly type: 'resumeRequested' }
  /** With `compensate` what completed is compensated, whatever the workflow says. */
  | { readonly type: 'cancelRequested'; readonly reason?: string; readonly compensate?: boolean }
  /** Runs again what failed or was cancelled. */
  | { readonly type: 'retryRequested' }
  /** Runs one node again, with `cascade` also what depends on it. */
  | RerunRequest
  | { readonly type: 'abandonRequested'; readonly error: ErrorDocument }
  | { readonly type: 'nodeCancelRequested'; readonly node: number }
  | WaitAnswer;

/** What is asked about a child execution. */
export type ChildEffect = Extract<Effect, { kind: 'child' | 'steerChild' }>;

export interface AttemptSuccess {
  readonly type: 'attemptSucceeded';
  readonly node: number;
  readonly run: number;
  readonly attempt: number;
  readonly output: NodeOutput;
  readonly artifacts: readonly string[];
  readonly durationMs: number;
  /** What the result was made from, when it was kept from before. */
  readonly cached?: string;
  /** What became of the contracts that the node promised, none of them breached. */
  readonly contracts?: readonly ContractVerdict[];
}

/** How an attempt ended by itself. */
export type AttemptReport = Extract<EngineEvent, { type: 'attemptSucceeded' | 'attemptFailed' }>;

/** The execution that a subworkflow node waits for has ended. */
export interface ChildEnd {
  readonly type: 'childEnded';
  readonly node: number;
  readonly key: string;
  readonly outcome: { readonly output: NodeOutput } | { readonly error: ErrorDocument };
  /** What became of the contracts that the node promised. */
  readonly contracts?: readonly ContractVerdict[];
}

/** What people and other systems tell a node that waits, or will. `payload` is JSON text. */
export type WaitAnswer =
  | {
      readonly type: 'signalReceived';
      readonly name: string;
      readonly payload: string;
      /** A signal with an id that came before is the same one. */
      readonly id: string | null;
    }
  | ({ readonly type: 'reviewDecided'; readonly node: number; readonly run: number } & Decision)
  | {
      readonly type: 'reviewCommented';
      readonly node: number;
      readonly run: number;
      readonly text: string;
      readonly reviewer: string | null;
    };

/** What users ask of an execution as a whole. */
export type WorkflowRequest = Exclude<
  Extract<EngineEvent, { type: `${string}Requested` }>,
  { type: 'nodeCancelRequested' }
>;

export interface RerunRequest {
  readonly type: 'rerunRequested';
  readonly node: number;
  readonly cascade: boolean;
}

/** What a map goes over, as far as decisions depend on it. Lists with equal digests are the same. */
export type MapList = { readonly items: number; readonly digest: string } | { readonly error: ErrorDocument };

export type ConditionVerdict =
  | { readonly met: true }
  | { readonly met: false; readonly condition: string }
  | { readonly met: 'error'; readonly error: ErrorDocument };
