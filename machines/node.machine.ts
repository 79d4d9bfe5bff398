import { assign, setup } from 'xstate';
import type { NodeContext, NodeEvent } from './events.js';

/** A late event: harmless here, named so that nothing else passes silently. */
const late = { actions: 'ignoreLate' } as const;

/**
 * The life of one node: the canonical model and nothing else, no I/O, no timers, no clock. What is not listed
 * is illegal. No state is `final`, because an explicit rerun leaves the terminal ones.
 */
export const nodeMachine = setup({
  types: { context: {} as NodeContext, events: {} as NodeEvent },
  guards: {
    willRetry: ({ event }) => event.type === 'attemptFailed' && event.retryAtMs !== undefined,
  },
  actions: {
    chargeAttempt: assign({ attempt: ({ context }) => context.attempt + 1, wakeAtMs: 0 }),
    // The attempt did not fail, its worker did: the next one gets the same number.
    refundAttempt: assign({ attempt: ({ context }) => context.attempt - 1, wakeAtMs: 0 }),
    forgetError: assign({ error: null, wakeAtMs: 0 }),
    noteError: assign({ error: ({ context, event }) => errorOf(event) ?? context.error }),
    setWake: assign({ wakeAtMs: ({ event }) => wakeOf(event) }),
    dropWake: assign({ wakeAtMs: 0 }),
    beginRun: assign({ run: ({ context }) => context.run + 1, attempt: 0, wakeAtMs: 0, error: null }),
    ignoreLate: () => {},
  },
}).createMachine({
  id: 'node',
  context: { attempt: 0, run: 0, wakeAtMs: 0, error: null },
  initial: 'pending',
  states: {
    pending: {
      on: {
        dependenciesMet: 'ready',
        dependencyFailed: 'blocked',
        conditionNotMet: 'skipped',
        cancelRequested: 'cancelled',
        // It goes on waiting for what else it depends on.
        edgeEvaluated: 'pending',
      },
    },
    ready: {
      on: {
        attemptStarted: { target: 'running', actions: 'chargeAttempt' },
        waitStarted: { target: 'running', actions: ['chargeAttempt', 'setWake'] },
        contractsChecked: 'ready',
        conditionNotMet: 'skipped',
        cancelRequested: 'cancelled',
        // It has begun before, and its worker or process died under it.
        timedOut: { target: 'failed.exhausted', actions: ['noteError', 'dropWake'] },
        // It waits for its start, and what it depends on runs again: it waits for that, too.
        rerunRequested: { target: 'pending', actions: 'beginRun' },
      },
    },
    running: {
      on: {
        attemptSucceeded: { target: 'completed', actions: 'forgetError' },
        attemptFailed: [
          { guard: 'willRetry', target: 'failed.retrying', actions: ['noteError', 'setWake'] },
          { target: 'failed.exhausted', actions: ['noteError', 'dropWake'] },
        ],
        recovered: { target: 'ready', actions: 'refundAttempt' },
        cancelRequested: { target: 'cancelled', actions: 'dropWake' },
        timedOut: { target: 'failed.exhausted', actions: ['noteError', 'dropWake'] },
        // Facts that the history keeps; the node goes on running.
        waitEnded: 'running',
        commented: 'running',
        cacheHit: 'running',
        // Its dependencies stand as they are: it is ready again, or will be when its delay is over.
        iterationEnded: { target: 'ready', actions: ['beginRun', 'setWake'] },
        contractsChecked: 'running',
      },
    },
    failed: {
      initial: 'exhausted',
      states: {
        retrying: {
          on: {
            attemptStarted: { target: '#node.running', actions: 'chargeAttempt' },
            waitStarted: { target: '#node.running', actions: ['chargeAttempt', 'setWake'] },
            cancelRequested: { target: '#node.cancelled', actions: 'dropWake' },
            timedOut: { target: 'exhausted', actions: ['noteError', 'dropWake'] },
            rerunRequested: { target: '#node.pending', actions: 'beginRun' },
          },
        },
        exhausted: {
          on: {
            rerunRequested: { target: '#node.pending', actions: 'beginRun' },
            // Cancelling what has ended changes nothing.
            cancelRequested: late,
            // News of dependencies that were rerun after this node had settled.
            dependenciesMet: late,
            dependencyFailed: late,
            dependencyRestored: late,
          },
        },
      },
      on: {
        // The attempt was given up (time, heartbeat, its worker); its own report comes after all.
        attemptSucceeded: late,
        attemptFailed: late,
        recovered: late,
      },
    },
    blocked: {
      on: {
        dependencyRestored: 'pending',
        // A further dependency failed; it is blocked already.
        dependencyFailed: late,
        // Canonical: a blocked node stays blocked when its workflow is cancelled.
        cancelRequested: late,
      },
    },
    completed: {
      on: {
        rerunRequested: { target: 'pending', actions: 'beginRun' },
        // Cancelling what has ended changes nothing.
        cancelRequested: late,
        // Reported twice, or the worker died after its report.
        attemptSucceeded: late,
        attemptFailed: late,
        recovered: late,
        // News of dependencies that were rerun after this node had settled.
        dependenciesMet: late,
        dependencyFailed: late,
        dependencyRestored: late,
      },
    },
    skipped: {
      on: {
        rerunRequested: { target: 'pending', actions: 'beginRun' },
        // Cancelling what has ended changes nothing.
        cancelRequested: late,
        // Its other dependencies go on after one of them decided that it is skipped.
        dependenciesMet: late,
        dependencyFailed: late,
        dependencyRestored: late,
      },
    },
    cancelled: {
      on: {
        // The canonical workflow goes from cancelled to running by an explicit retry: its nodes must too.
        rerunRequested: { target: 'pending', actions: 'beginRun' },
        cancelRequested: late,
        // The attempt ends, one way or another, while its worker is being told to stop.
        attemptSucceeded: late,
        attemptFailed: late,
        recovered: late,
        // Dependencies that were running when everything was cancelled.
        dependenciesMet: late,
        dependencyFailed: late,
        dependencyRestored: late,
      },
    },
  },
});

function errorOf(event: NodeEvent): NodeContext['error'] {
  return event.type === 'attemptFailed' || event.type === 'timedOut' ? event.error : null;
}

function wakeOf(event: NodeEvent): number {
  if (event.type === 'waitStarted') return event.wakeAtMs;
  if (event.type === 'iterationEnded') return event.nextAtMs ?? 0;
  return event.type === 'attemptFailed' ? (event.retryAtMs ?? 0) : 0;
}
