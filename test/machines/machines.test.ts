import { describe, expect, it } from 'vitest';
import type { EventObject } from 'xstate';
import {
  compiledNode,
  compiledWorkflow,
  NODE_EVENT_TYPES,
  NODE_LEAVES,
  type CompiledMachine,
  type NodeContext,
  type NodeEvent,
  WORKFLOW_EVENT_TYPES,
  WORKFLOW_LEAVES,
  type WorkflowEvent,
} from '../../machines/index.js';
import {
  type Expectation,
  LATE,
  NODE_EVENTS,
  NODE_TABLE,
  WORKFLOW_EVENTS,
  WORKFLOW_TABLE,
} from './tables.js';

function checkTable<C, E extends EventObject>(
  compiled: CompiledMachine<C, E>,
  table: Expectation,
  events: Record<string, E>,
): void {
  for (const [leaf, name] of compiled.leaves.entries()) {
    for (const [variant, event] of Object.entries(events)) {
      const expected = table[name][variant];
      it(`${name}: ${variant} → ${expected ?? 'illegal'}`, () => {
        const context = compiled.initialContext;
        const next = compiled.step(leaf, context, event);
        expect(compiled.accepts(leaf, context, event)).toBe(expected !== undefined);
        if (expected === undefined) expect(next).toBeUndefined();
        else expect(compiled.leaves[next!.leaf]).toBe(expected === LATE ? name : expected);
        if (expected === LATE) expect(next!.context).toBe(context);
        if (next !== undefined) expect(next.isLate).toBe(expected === LATE);
      });
    }
  }
}

describe('node machine: every state and event is a transition, tolerated, or illegal', () => {
  it('the table names every leaf and the events every type', () => {
    expect(Object.keys(NODE_TABLE).sort()).toEqual([...NODE_LEAVES].sort());
    const types = new Set<string>(Object.values(NODE_EVENTS).map((event) => event.type));
    expect([...types].sort()).toEqual([...NODE_EVENT_TYPES].sort());
  });
  checkTable<NodeContext, NodeEvent>(compiledNode, NODE_TABLE, NODE_EVENTS);
});

describe('workflow machine: every state and event is a transition, tolerated, or illegal', () => {
  it('the table names every leaf and the events every type', () => {
    expect(Object.keys(WORKFLOW_TABLE).sort()).toEqual([...WORKFLOW_LEAVES].sort());
    const types = new Set<string>(Object.values(WORKFLOW_EVENTS).map((event) => event.type));
    expect([...types].sort()).toEqual([...WORKFLOW_EVENT_TYPES].sort());
  });
  checkTable(compiledWorkflow, WORKFLOW_TABLE, WORKFLOW_EVENTS);
});

describe('what a node remembers', () => {
  const follow = (...names: string[]) => {
    let at = { leaf: compiledNode.initialLeaf, context: compiledNode.initialContext };
    for (const name of names) {
      const next = compiledNode.step(at.leaf, at.context, NODE_EVENTS[name]);
      expect(next, `${name} in ${compiledNode.leaves[at.leaf]}`).toBeDefined();
      at = next!;
    }
    return { leaf: compiledNode.leaves[at.leaf], ...at.context };
  };
  const toRunning = ['dependenciesMet', 'attemptStarted'];
  const error = { name: 'Error', message: 'no' };

  it('charges attempts as they start', () => {
    expect(follow(...toRunning)).toEqual({ leaf: 'running', attempt: 1, run: 0, wakeAtMs: 0, error: null });
    expect(follow(...toRunning, 'attemptFailed+retry', 'attemptStarted')).toEqual({
      leaf: 'running',
      attempt: 2,
      run: 0,
      wakeAtMs: 0,
      error,
    });
  });

  it('does not charge an attempt whose worker died', () => {
    expect(follow(...toRunning, 'recovered')).toMatchObject({ leaf: 'ready', attempt: 0 });
    expect(follow(...toRunning, 'recovered', 'attemptStarted')).toMatchObject({ attempt: 1 });
    const second = [...toRunning, 'attemptFailed+retry', 'attemptStarted', 'recovered'];
    expect(follow(...second)).toMatchObject({ leaf: 'ready', attempt: 1, wakeAtMs: 0, error });
  });

  it('knows when to wake while retrying, and only then', () => {
    expect(follow(...toRunning, 'attemptFailed+retry')).toMatchObject({ wakeAtMs: 1234, error });
    expect(follow(...toRunning, 'attemptFailed')).toMatchObject({ wakeAtMs: 0, error });
    expect(follow(...toRunning, 'attemptFailed+retry', 'cancelRequested')).toMatchObject({
      leaf: 'cancelled',
      wakeAtMs: 0,
    });
  });

  it('forgets the failure of an earlier attempt once one succeeds', () => {
    const path = [...toRunning, 'attemptFailed+retry', 'attemptStarted', 'attemptSucceeded'];
    expect(follow(...path)).toEqual({ leaf: 'completed', attempt: 2, run: 0, wakeAtMs: 0, error: null });
  });

  it.each([
    [...toRunning, 'attemptSucceeded'],
    [...toRunning, 'attemptFailed'],
    [...toRunning, 'attemptFailed+retry', 'cancelRequested'],
    ['conditionNotMet'],
    ['cancelRequested'],
  ])('begins a new run when rerun (%s …)', (...path) => {
    const fresh = { leaf: 'pending', attempt: 0, run: 1, wakeAtMs: 0, error: null };
    expect(follow(...path, 'rerunRequested')).toEqual(fresh);
  });
});

describe('what a workflow remembers', () => {
  it('keeps the first failure until it is retried', () => {
    const { step, leaves } = compiledWorkflow;
    const failure: WorkflowEvent = { type: 'nodeFailedForGood', node: 7, error: { name: 'E', message: 'm' } };
    const running = leaves.indexOf('running');
    const failed = step(running, compiledWorkflow.initialContext, failure)!;
    expect(failed.context).toMatchObject({ error: { name: 'E', message: 'm' }, failedNode: 7, rerun: null });
    expect(step(failed.leaf, failed.context, { ...failure, node: 8 })).toEqual({ ...failed, isLate: true });
    const retried = step(failed.leaf, failed.context, { type: 'retryRequested' })!;
    expect(retried).toEqual({ leaf: running, context: compiledWorkflow.initialContext, isLate: false });
  });

  it('knows what a rerun may start while failures stand, until one leaves none or all is retried', () => {
    const { step, leaves, initialContext } = compiledWorkflow;
    const rerun = (standing: number, nodes: number[]): WorkflowEvent => ({
      type: 'rerunRequested',
      node: nodes[0] ?? 0,
      cascade: true,
      standing,
      nodes,
    });
    const [failed, running] = [leaves.indexOf('failed'), leaves.indexOf('running')];
    const first = step(failed, initialContext, rerun(2, [3]))!;
    expect(first).toEqual({
      leaf: running,
      context: { ...initialContext, rerun: { standing: 2, nodes: [3] } },
      isLate: false,
    });
    const second = step(running, first.context, rerun(1, [5]))!;
    expect(second.context.rerun).toEqual({ standing: 1, nodes: [3, 5] });
    expect(step(failed, second.context, rerun(1, [5]))!.context.rerun).toEqual({ standing: 1, nodes: [5] });
    expect(step(running, second.context, rerun(0, []))!.context.rerun).toBeNull();
    expect(step(failed, second.context, { type: 'retryRequested' })!.context.rerun).toBeNull();
  });
});
