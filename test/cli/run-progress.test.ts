import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import type { EventType, ExecutionEvent } from '../../src/observe/events.js';
import { RunProgress } from '../../src/cli/progress/run-progress.js';

const T0 = Date.parse('2026-01-01T00:00:00Z');

function event(
  event_type: EventType,
  node_id?: string,
  data: Record<string, unknown> = {},
  atMs = T0,
): ExecutionEvent {
  return {
    event_type,
    workflow_id: 'w',
    execution_id: 'e',
    timestamp: new Date(atMs).toISOString(),
    data,
    ...(node_id === undefined ? {} : { node_id }),
  };
}

function fold(progress: RunProgress, events: readonly ExecutionEvent[]): RunProgress {
  for (const each of events) progress.apply(each);
  return progress;
}

describe('RunProgress', () => {
  it('follows a node through a retry to its completion', () => {
    const progress = fold(new RunProgress(2), [
      event('node_ready', 'a'),
      event('node_started', 'a', { attempt: 1 }),
      event('node_failed', 'a', { will_retry: true, execution_time_seconds: 1 }),
    ]);
    expect(progress.counts).toMatchObject({ failed: 1, pending: 1 });
    expect(progress.settledNodes).toBe(0);
    fold(progress, [
      event('node_retry', 'a', { attempt: 2, delay: 1 }),
      event('node_started', 'a', { attempt: 2 }),
      event('node_completed', 'a', { execution_time_seconds: 2 }),
    ]);
    expect(progress.counts).toMatchObject({ completed: 1, pending: 1, failed: 0 });
    expect(progress.retries).toBe(1);
    expect(progress.nodeSeconds.get('a')).toBe(3);
    expect(progress.settledNodes).toBe(1);
    expect(progress.weightDone).toBe(1);
  });

  it('counts the progress a running node reports, and only while it runs', () => {
    const progress = fold(new RunProgress(1, new Map([['a', 10]])), [
      event('node_started', 'a', { attempt: 1 }),
      event('node_progress', 'a', { fraction: 0.5, message: 'half' }),
    ]);
    expect(progress.weightDone).toBe(5);
    expect(progress.running.get('a')).toMatchObject({ fraction: 0.5, message: 'half', startedAtMs: T0 });
    fold(progress, [event('node_recovered', 'a'), event('node_progress', 'a', { fraction: 0.9 })]);
    expect(progress.weightDone).toBe(0);
  });

  it('measures a lost attempt by the clock when nobody measured it', () => {
    const progress = fold(new RunProgress(1), [
      event('node_started', 'a', { attempt: 1 }, T0),
      event('node_failed', 'a', { will_retry: false }, T0 + 2500),
    ]);
    expect(progress.nodeSeconds.get('a')).toBe(2.5);
  });

  it('brings failed and blocked nodes back when an ended execution goes on', () => {
    const progress = fold(new RunProgress(3), [
      event('workflow_started'),
      event('node_started', 'a', { attempt: 1 }),
      event('node_completed', 'a'),
      event('node_started', 'b', { attempt: 1 }),
      event('node_failed', 'b', { will_retry: false }),
      event('node_blocked', 'c'),
      event('workflow_failed', undefined, {}),
    ]);
    expect(progress.settledNodes).toBe(3);
    fold(progress, [event('workflow_resumed')]);
    expect(progress.counts).toMatchObject({ completed: 1, pending: 2, failed: 0, blocked: 0 });
    expect(progress.weightDone).toBe(1);
  });

  it('keeps failed nodes over a pause', () => {
    const progress = fold(new RunProgress(2), [
      event('node_started', 'a', { attempt: 1 }),
      event('node_failed', 'a', { will_retry: false }),
      event('workflow_paused'),
      event('workflow_resumed'),
    ]);
    expect(progress.counts.failed).toBe(1);
  });

  it('keeps counts, weights and the running set consistent for any events', () => {
    const types = fc.constantFrom<EventType>(
      'node_ready',
      'node_started',
      'node_completed',
      'node_failed',
      'node_retry',
      'node_skipped',
      'node_blocked',
      'node_cancelled',
      'node_recovered',
      'node_progress',
      'workflow_failed',
      'workflow_resumed',
    );
    const steps = fc.array(
      fc.record({ type: types, node: fc.constantFrom('a', 'b', 'c'), willRetry: fc.boolean() }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const progress = new RunProgress(3);
        for (const { type, node, willRetry } of list) {
          const ofNode = type.startsWith('node_') ? node : undefined;
          progress.apply(event(type, ofNode, { will_retry: willRetry, fraction: 0.3, attempt: 1 }));
          const total = Object.values(progress.counts).reduce((a, b) => a + b, 0);
          expect(total).toBe(3);
          expect(progress.running.size).toBe(progress.counts.running);
          expect(progress.settledWeight).toBe(progress.settledNodes);
          expect(progress.weightDone).toBeLessThanOrEqual(3);
        }
      }),
      { numRuns: 300 },
    );
  });
});
