import { assign, setup } from 'xstate';
import type { RerunLimit, WorkflowContext, WorkflowEvent } from './events.js';

/** A late event: harmless here, named so that nothing else passes silently. */
const late = { actions: 'ignoreLate' } as const;

/**
 * The life of one execution: the canonical model and nothing else. What is not listed is illegal. No state is
 * `final`, because an explicit retry leaves the terminal ones.
 */
export const workflowMachine = setup({
  types: { context: {} as WorkflowContext, events: {} as WorkflowEvent },
  actions: {
    noteFailure: assign({
      error: ({ context, event }) => ('error' in event ? event.error : context.error),
      failedNode: ({ context, event }) =>
        event.type === 'nodeFailedForGood' ? event.node : context.failedNode,
    }),
    forgetFailure: assign({ error: null, failedNode: -1, compensating: null }),
    noteEnding: assign({
      compensating: ({ context, event }) => ('ending' in event ? event.ending : context.compensating),
    }),
    noteRerun: assign({ rerun: ({ context, event }) => limitOf(context.rerun, event) }),
    liftLimit: assign({ rerun: null }),
    ignoreLate: () => {},
  },
}).createMachine({
  id: 'workflow',
  context: { error: null, failedNode: -1, rerun: null, compensating: null },
  initial: 'pending',
  states: {
    pending: {
      on: {
        started: 'running',
        migrated: 'pending',
        cancelRequested: 'cancelled',
        abandoned: { target: 'failed', actions: 'noteFailure' },
      },
    },
    running: {
      on: {
        pauseRequested: 'paused',
        allNodesSettled: 'completed',
        nodeFailedForGood: { target: 'failed', actions: 'noteFailure' },
        cancelRequested: 'cancelled',
        abandoned: { target: 'failed', actions: 'noteFailure' },
        // Kept until a node takes it.
        signalReceived: 'running',
        rerunRequested: { actions: 'noteRerun' },
        groupRestarted: 'running',
        // It ends once what compensates its nodes has run.
        compensationStarted: { actions: 'noteEnding' },
        mapExpanded: 'running',
        // While nobody runs it.
        migrated: 'running',
        // Asked twice, by two people or through the inbox.
        resumeRequested: late,
        retryRequested: late,
      },
    },
    paused: {
      on: {
        resumeRequested: 'running',
        // Who asks for a node to run again wants it to run.
        rerunRequested: { target: 'running', actions: 'noteRerun' },
        cancelRequested: 'cancelled',
        abandoned: { target: 'failed', actions: 'noteFailure' },
        signalReceived: 'paused',
        // Cancelled, and that is not to wait.
        compensationStarted: { target: 'running', actions: 'noteEnding' },
        // What was running when it was paused may still fail.
        groupRestarted: 'paused',
        // What was asked before it was paused is answered.
        mapExpanded: 'paused',
        migrated: 'paused',
        // Asked twice.
        pauseRequested: late,
      },
    },
    completed: {
      on: {
        retryRequested: { target: 'running', actions: ['forgetFailure', 'liftLimit'] },
        rerunRequested: { target: 'running', actions: ['forgetFailure', 'liftLimit', 'noteRerun'] },
        // Requests that crossed with the end.
        signalReceived: late,
        pauseRequested: late,
        resumeRequested: late,
        cancelRequested: late,
      },
    },
    failed: {
      on: {
        // It can be retried under another definition.
        migrated: 'failed',
        retryRequested: { target: 'running', actions: ['forgetFailure', 'liftLimit'] },
        rerunRequested: { target: 'running', actions: ['forgetFailure', 'liftLimit', 'noteRerun'] },
        // Requests that crossed with the end.
        signalReceived: late,
        pauseRequested: late,
        resumeRequested: late,
        cancelRequested: late,
        // Nodes that were running when the first one failed end after it; the first failure is the one kept.
        nodeFailedForGood: late,
        allNodesSettled: late,
      },
    },
    cancelled: {
      on: {
        retryRequested: { target: 'running', actions: ['forgetFailure', 'liftLimit'] },
        rerunRequested: { target: 'running', actions: ['forgetFailure', 'liftLimit', 'noteRerun'] },
        // Requests that crossed with the end.
        signalReceived: late,
        pauseRequested: late,
        resumeRequested: late,
        cancelRequested: late,
        // Nodes that were running when everything was cancelled end after it.
        nodeFailedForGood: late,
        allNodesSettled: late,
      },
    },
  },
});

/** A rerun asked for while another one is under way adds to it; no node is listed twice, so that it stays bounded. */
function limitOf(before: RerunLimit | null, event: WorkflowEvent): RerunLimit | null {
  if (event.type !== 'rerunRequested' || event.standing === 0) return null;
  return { standing: event.standing, nodes: [...new Set([...(before?.nodes ?? []), ...event.nodes])] };
}
