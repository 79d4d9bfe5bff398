import type { NodeContext, NodeEvent, WorkflowContext, WorkflowEvent } from '../../machines/index.js';

/** Written by hand from the canonical model, independently of the machines: what each event does in each leaf. */
export type Expectation = Record<string, Record<string, string>>;
/** Tolerated where it changes nothing. */
export const LATE = 'late';

export const NODE_TABLE: Expectation = {
  pending: {
    dependenciesMet: 'ready',
    dependencyFailed: 'blocked',
    conditionNotMet: 'skipped',
    cancelRequested: 'cancelled',
    edgeEvaluated: 'pending',
  },
  ready: {
    attemptStarted: 'running',
    waitStarted: 'running',
    contractsChecked: 'ready',
    conditionNotMet: 'skipped',
    cancelRequested: 'cancelled',
    timedOut: 'failed.exhausted',
    rerunRequested: 'pending',
  },
  running: {
    attemptSucceeded: 'completed',
    'attemptFailed+retry': 'failed.retrying',
    attemptFailed: 'failed.exhausted',
    recovered: 'ready',
    cancelRequested: 'cancelled',
    waitEnded: 'running',
    commented: 'running',
    cacheHit: 'running',
    iterationEnded: 'ready',
    'iterationEnded+delay': 'ready',
    timedOut: 'failed.exhausted',
    contractsChecked: 'running',
  },
  completed: {
    rerunRequested: 'pending',
    cancelRequested: LATE,
    dependenciesMet: LATE,
    dependencyFailed: LATE,
    dependencyRestored: LATE,
    attemptSucceeded: LATE,
    attemptFailed: LATE,
    'attemptFailed+retry': LATE,
    recovered: LATE,
  },
  'failed.retrying': {
    attemptStarted: 'running',
    waitStarted: 'running',
    timedOut: 'failed.exhausted',
    cancelRequested: 'cancelled',
    rerunRequested: 'pending',
    attemptSucceeded: LATE,
    attemptFailed: LATE,
    'attemptFailed+retry': LATE,
    recovered: LATE,
  },
  'failed.exhausted': {
    rerunRequested: 'pending',
    cancelRequested: LATE,
    dependenciesMet: LATE,
    dependencyFailed: LATE,
    dependencyRestored: LATE,
    attemptSucceeded: LATE,
    attemptFailed: LATE,
    'attemptFailed+retry': LATE,
    recovered: LATE,
  },
  skipped: {
    rerunRequested: 'pending',
    cancelRequested: LATE,
    dependenciesMet: LATE,
    dependencyFailed: LATE,
    dependencyRestored: LATE,
  },
  blocked: { dependencyRestored: 'pending', dependencyFailed: LATE, cancelRequested: LATE },
  cancelled: {
    rerunRequested: 'pending',
    cancelRequested: LATE,
    dependenciesMet: LATE,
    dependencyFailed: LATE,
    dependencyRestored: LATE,
    attemptSucceeded: LATE,
    attemptFailed: LATE,
    'attemptFailed+retry': LATE,
    recovered: LATE,
  },
};

export const WORKFLOW_TABLE: Expectation = {
  pending: { started: 'running', cancelRequested: 'cancelled', abandoned: 'failed', migrated: 'pending' },
  running: {
    pauseRequested: 'paused',
    allNodesSettled: 'completed',
    nodeFailedForGood: 'failed',
    cancelRequested: 'cancelled',
    abandoned: 'failed',
    rerunRequested: 'running',
    'rerunRequested+standing': 'running',
    resumeRequested: LATE,
    retryRequested: LATE,
    signalReceived: 'running',
    groupRestarted: 'running',
    compensationStarted: 'running',
    mapExpanded: 'running',
    migrated: 'running',
  },
  paused: {
    resumeRequested: 'running',
    cancelRequested: 'cancelled',
    abandoned: 'failed',
    rerunRequested: 'running',
    'rerunRequested+standing': 'running',
    pauseRequested: LATE,
    signalReceived: 'paused',
    groupRestarted: 'paused',
    compensationStarted: 'running',
    mapExpanded: 'paused',
    migrated: 'paused',
  },
  completed: {
    retryRequested: 'running',
    signalReceived: LATE,
    rerunRequested: 'running',
    'rerunRequested+standing': 'running',
    pauseRequested: LATE,
    resumeRequested: LATE,
    cancelRequested: LATE,
  },
  failed: {
    retryRequested: 'running',
    migrated: 'failed',
    signalReceived: LATE,
    rerunRequested: 'running',
    'rerunRequested+standing': 'running',
    pauseRequested: LATE,
    resumeRequested: LATE,
    cancelRequested: LATE,
    nodeFailedForGood: LATE,
    allNodesSettled: LATE,
  },
  cancelled: {
    retryRequested: 'running',
    signalReceived: LATE,
    rerunRequested: 'running',
    'rerunRequested+standing': 'running',
    pauseRequested: LATE,
    resumeRequested: LATE,
    cancelRequested: LATE,
    nodeFailedForGood: LATE,
    allNodesSettled: LATE,
  },
};

const error = { name: 'Error', message: 'no' };

/** Every event, in every variant of payload that a machine may look at. */
export const NODE_EVENTS: Record<string, NodeEvent> = {
  dependenciesMet: { type: 'dependenciesMet' },
  dependencyFailed: { type: 'dependencyFailed', by: 3 },
  dependencyRestored: { type: 'dependencyRestored' },
  conditionNotMet: { type: 'conditionNotMet', condition: 'false' },
  attemptStarted: { type: 'attemptStarted' },
  attemptSucceeded: { type: 'attemptSucceeded', output: '{}', artifacts: [], durationMs: 5 },
  attemptFailed: { type: 'attemptFailed', error, durationMs: 5 },
  'attemptFailed+retry': { type: 'attemptFailed', error, durationMs: 5, retryAtMs: 1234 },
  recovered: { type: 'recovered', reason: 'process' },
  cancelRequested: { type: 'cancelRequested' },
  rerunRequested: { type: 'rerunRequested' },
  waitStarted: { type: 'waitStarted', kind: 'signal', signal: 'go', wakeAtMs: 777 },
  waitEnded: { type: 'waitEnded', by: 'signal' },
  commented: { type: 'commented', text: 'hm', reviewer: null },
  edgeEvaluated: { type: 'edgeEvaluated', from: 2, verdict: { taken: false } },
  iterationEnded: { type: 'iterationEnded', output: '{}', durationMs: 5 },
  'iterationEnded+delay': { type: 'iterationEnded', output: '{}', durationMs: 5, nextAtMs: 1234 },
  timedOut: { type: 'timedOut', error },
  cacheHit: { type: 'cacheHit', hash: 'ab' },
  contractsChecked: {
    type: 'contractsChecked',
    verdicts: [{ contract: 'c', side: 'input', severity: 'warning', status: 'breached', problems: [] }],
  },
};

export const WORKFLOW_EVENTS: Record<string, WorkflowEvent> = {
  started: { type: 'started' },
  pauseRequested: { type: 'pauseRequested' },
  resumeRequested: { type: 'resumeRequested' },
  allNodesSettled: { type: 'allNodesSettled' },
  nodeFailedForGood: { type: 'nodeFailedForGood', node: 7, error },
  abandoned: { type: 'abandoned', error },
  cancelRequested: { type: 'cancelRequested', reason: 'why not' },
  retryRequested: { type: 'retryRequested' },
  signalReceived: { type: 'signalReceived', name: 'go', payload: '{}', id: null },
  rerunRequested: { type: 'rerunRequested', node: 2, cascade: true, standing: 0, nodes: [] },
  compensationStarted: {
    type: 'compensationStarted',
    ending: { kind: 'cancelled', reason: 'why' },
  },
  groupRestarted: { type: 'groupRestarted', group: 3, node: 1 },
  mapExpanded: { type: 'mapExpanded', node: 2, run: 0, items: 3, digest: 'd' },
  migrated: { type: 'migrated', from: 'f', to: 't', added: ['a'], removed: [], changed: [] },
  'rerunRequested+standing': { type: 'rerunRequested', node: 2, cascade: true, standing: 1, nodes: [2, 5] },
};

/** Contexts in which every field differs from its beginning, and the beginning itself. */
export const NODE_CONTEXTS: NodeContext[] = [
  { attempt: 0, run: 0, wakeAtMs: 0, error: null },
  { attempt: 2, run: 1, wakeAtMs: 99, error: { name: 'Old', message: 'before' } },
];

export const WORKFLOW_CONTEXTS: WorkflowContext[] = [
  { error: null, failedNode: -1, rerun: null, compensating: null },
  {
    error: { name: 'Old', message: 'before' },
    failedNode: 4,
    rerun: { standing: 2, nodes: [1] },
    compensating: { kind: 'timedOut', error: { name: 'Old', message: 'late' } },
  },
];
