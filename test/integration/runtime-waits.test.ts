import { describe, expect, it } from 'vitest';
import {
  defineWorkflow,
  systemClock,
  type Clock,
  type ExecutionEvent,
  type MaestroError,
  type Workflow,
} from '../../src/runtime/index.js';
import { openStore } from '../../src/store/open.js';
import { collect, Counter, runtimes, storeKinds, until } from './support/runtimes.js';

const open = runtimes();
const anHourLater: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + 3_600_000 };

const SCHEMA = {
  type: 'object',
  required: ['amount', 'currency'],
  properties: { amount: { type: 'number' }, currency: { enum: ['EUR', 'USD'] } },
};

interface Review {
  deadlineSeconds?: number;
  default?: { decision: 'approve' | 'reject' };
  onReject?: 'complete';
}

/** draft → approve (a review) → publish, which is told what was decided. */
function reviewed(review: Review = {}): Workflow {
  return defineWorkflow({ id: 'reviewed' })
    .node('draft', { execute: () => 'text' })
    .node('approve', {
      dependsOn: ['draft'],
      review: { responseSchema: SCHEMA, instructions: 'Read it', assignees: ['ada'], ...review },
    })
    .node('publish', {
      dependsOn: ['approve'],
      execute: ({ dependencyOutputs }) => dependencyOutputs.approve,
    })
    .build();
}

const APPROVED = { decision: 'approve', response: { amount: 1, currency: 'EUR' } } as const;

describe.each(storeKinds())('a review, on %s', (_, create) => {
  it('waits without a thread or a slot, is commented on and approved; the response is checked', async () => {
    const events: ExecutionEvent[] = [];
    const runtime = await open({ store: create()(), concurrency: 1, onEvent: (event) => events.push(event) });
    const execution = await runtime.start(reviewed());
    const { id } = execution;
    await until(async () => (await runtime.reviews()).reviews.length === 1, 'the review is open');
    expect((await runtime.reviews()).reviews).toMatchObject([
      {
        execution_id: id,
        workflow_id: 'reviewed',
        node_id: 'approve',
        instructions: 'Read it',
        assignees: ['ada'],
        response_schema: SCHEMA,
        deadline: null,
        default: null,
        comments: [],
      },
    ]);
    expect((await runtime.get(id))!.node_states.approve).toMatchObject({
      status: 'running',
      attempt_count: 1,
      metadata: { waiting_for: { kind: 'review', until: null } },
    });
    // The only slot is free.
    const other = defineWorkflow({ id: 'other' })
      .node('one', { execute: () => 1 })
      .build();
    expect((await (await runtime.start(other)).result).status).toBe('completed');

    const before = events.length;
    const wrong = { decision: 'approve', response: { amount: 'x', currency: 'CHF' } } as const;
    const error = (await runtime.review(id, 'approve', wrong).catch((e: unknown) => e)) as MaestroError;
    expect(error.code).toBe('PAYLOAD_INVALID');
    expect(error.problems.map(({ message }) => message)).toEqual([
      'amount must be number',
      'currency must be equal to one of the allowed values: EUR, USD',
    ]);
    await expect(runtime.review(id, 'approve', { decision: 'approve' })).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
    });
    await expect(runtime.review(id, 'approve', {})).rejects.toMatchObject({ code: 'USAGE' });
    await expect(runtime.review(id, 'nope', APPROVED)).rejects.toMatchObject({ code: 'NODE_NOT_FOUND' });
    await expect(runtime.review(id, 'draft', APPROVED)).rejects.toMatchObject({ code: 'EXECUTION_STATE' });
    expect(events.length).toBe(before);

    await runtime.review(id, 'approve', { comment: 'Too long?', reviewer: 'bob' });
    expect((await runtime.get(id))!.node_states.approve).toMatchObject({
      status: 'running',
      metadata: { comments: [{ comment: 'Too long?', reviewer: 'bob' }] },
    });
    await runtime.review(id, 'approve', { ...APPROVED, comment: 'fine', reviewer: 'ada' });
    await expect(runtime.review(id, 'approve', APPROVED)).rejects.toMatchObject({ code: 'EXECUTION_STATE' });
    expect((await execution.result).status).toBe('completed');
    const document = (await runtime.get(id))!;
    expect(document.node_outputs.publish).toEqual({
      decision: 'approved',
      response: { amount: 1, currency: 'EUR' },
      comment: 'fine',
      reviewer: 'ada',
      decided_at: expect.any(String) as string,
    });
    expect(document.node_states.approve.metadata).toMatchObject({ comments: [{ comment: 'Too long?' }] });
    expect((await runtime.reviews()).reviews).toEqual([]);
    const own = events.filter((event) => event.execution_id === id);
    expect(own).toEqual(await collect(runtime.events(id)));
    expect(own.find((e) => e.event_type === 'node_started' && e.node_id === 'approve')!.data).toEqual({
      attempt: 1,
      max_attempts: 1,
      waiting_for: { kind: 'review', until: null },
    });
    expect(own.find((e) => e.event_type === 'node_commented')!.data).toEqual({
      comment: 'Too long?',
      reviewer: 'bob',
    });
    // As it was while it waited.
    const total = (await runtime.replay(id)).total_changes;
    const past = await runtime.replay(id, total - 7);
    expect(past.node_states.approve).toMatchObject({ status: 'running', metadata: { waiting_for: {} } });
  });

  it('fails its node when it is rejected, with the comment; a retry asks again', async () => {
    const runtime = await open({ store: create()() });
    const execution = await runtime.start(reviewed());
    const { id } = execution;
    await until(async () => (await runtime.reviews()).reviews.length === 1, 'the review is open');
    await runtime.review(id, 'approve', { decision: 'reject', comment: 'no way', reviewer: 'ada' });
    expect(await execution.result).toMatchObject({
      status: 'failed',
      failed_node: 'approve',
      error: { code: 'REVIEW_REJECTED', message: 'the review of node "approve" was rejected by ada: no way' },
    });
    await expect(runtime.review(id, 'approve', APPROVED)).rejects.toMatchObject({ code: 'EXECUTION_STATE' });
    const again = await runtime.retry(id);
    await until(async () => (await runtime.reviews()).reviews.length === 1, 'it is asked again');
    await runtime.review(id, 'approve', APPROVED);
    expect((await again.result).status).toBe('completed');
  });

  it('completes with the rejection when it is to', async () => {
    const runtime = await open({ store: create()() });
    const { id, result } = await runtime.start(reviewed({ onReject: 'complete' }));
    await until(async () => (await runtime.reviews()).reviews.length === 1, 'the review is open');
    await runtime.review(id, 'approve', { decision: 'reject' });
    expect((await result).status).toBe('completed');
    expect((await runtime.get(id))!.node_outputs.publish).toMatchObject({
      decision: 'rejected',
      response: null,
    });
  });

  it('ends at its deadline: by the default, or with an error', async () => {
    const runtime = await open({ store: create()() });
    const fallback = {
      deadlineSeconds: 0.05,
      default: { decision: 'reject' },
      onReject: 'complete',
    } as const;
    const { id, result } = await runtime.start(reviewed(fallback));
    expect((await result).status).toBe('completed');
    expect((await runtime.get(id))!.node_outputs.approve).toMatchObject({
      decision: 'rejected',
      reviewer: null,
    });
    const late = await runtime.start(reviewed({ deadlineSeconds: 0.05 }));
    expect(await late.result).toMatchObject({
      status: 'failed',
      error: { code: 'WAIT_EXPIRED', message: 'node "approve" was not reviewed within 0.05 s' },
    });
  });

  it('survives its runtime without being asked twice; an answer that came meanwhile beats the deadline', async () => {
    const place = create();
    const workflow = reviewed({ deadlineSeconds: 600 });
    const first = await open({ store: place() });
    const { id } = await first.start(workflow);
    await until(async () => (await first.reviews()).reviews.length === 1, 'the review is open');
    // Nothing that waits holds up the end.
    await first.close();
    const between = await open({ store: place(), recover: false });
    await between.review(id, 'approve', APPROVED);
    expect((await between.reviews()).reviews).toEqual([]);
    await expect(between.review(id, 'approve', APPROVED)).rejects.toMatchObject({
      code: 'EXECUTION_STATE',
      message: expect.stringContaining('decided already') as string,
    });
    expect((await between.get(id))!).toMatchObject({ status: 'running', interrupted: true });
    await between.close();
    const next = await open({ store: place(), workflows: [workflow], clock: anHourLater });
    await until(async () => (await next.get(id))!.status === 'completed', 'it has ended');
    const events = await collect(next.events(id));
    const started = events.filter((e) => e.node_id === 'approve' && e.event_type === 'node_started');
    expect(started.length).toBe(1);
    expect(events.filter((e) => e.event_type === 'node_recovered')).toEqual([]);
    expect((await next.get(id))!.node_states.approve.attempt_count).toBe(1);
  });
});

describe.each(storeKinds())('signals, on %s', (_, create) => {
  /** Two nodes wait for `go`, one after another, one for `stop` with a default. */
  const signalled = (ran = new Counter()) =>
    defineWorkflow({ id: 'signalled' })
      .node('one', { waitFor: { signal: 'go', schema: { type: 'integer' } } })
      .node('two', { dependsOn: ['one'], waitFor: { signal: 'go' } })
      .node('three', { waitFor: { signal: 'stop', deadlineSeconds: 0.05, default: null } })
      .node('end', {
        dependsOn: ['two', 'three'],
        execute: ({ dependencyOutputs }) => (ran.note('end'), dependencyOutputs),
      })
      .build();

  it('are kept until a node takes them, first come first served, each once', async () => {
    const runtime = await open({ store: create()() });
    const { id, result } = await runtime.start(signalled());
    await runtime.signal(id, 'go', 1, { signalId: 'first' });
    await runtime.signal(id, 'go', 1, { signalId: 'first' });
    const two = () => runtime.get(id).then((document) => document!.node_states.two);
    await until(async () => (await two()).status === 'running', 'the second waits');
    expect((await two()).metadata).toMatchObject({ waiting_for: { kind: 'signal', signal: 'go' } });
    await runtime.signal(id, 'go', 2, { signalId: 'second' });
    expect((await result).status).toBe('completed');
    expect((await runtime.get(id))!.node_outputs).toEqual({
      one: 1,
      two: 2,
      three: null,
      end: { two: 2, three: null },
    });
    const came = (await collect(runtime.events(id))).filter(
      (e) => e.event_type === 'workflow_signal_received',
    );
    expect(came.map(({ data }) => data)).toEqual([
      { signal: 'go', payload: 1, signal_id: 'first' },
      { signal: 'go', payload: 2, signal_id: 'second' },
    ]);
    await expect(runtime.signal(id, 'go', 3)).rejects.toMatchObject({ code: 'EXECUTION_STATE' });
  });

  it('are refused when nothing waits for them, or when they do not fit', async () => {
    const runtime = await open({ store: create()() });
    const { id } = await runtime.start(signalled());
    await expect(runtime.signal(id, 'og', 1)).rejects.toMatchObject({ code: 'SIGNAL_UNKNOWN' });
    await expect(runtime.signal('nope', 'go', 1)).rejects.toMatchObject({ code: 'EXECUTION_NOT_FOUND' });
    for (const payload of ['x', 1.5, null, 1n, () => 1, 'x'.repeat(70_000)])
      await expect(runtime.signal(id, 'go', payload)).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
  });

  it('wait in a paused execution and in one that nobody runs', async () => {
    const place = create();
    const workflow = signalled();
    const first = await open({ store: place() });
    const execution = await first.start(workflow);
    const { id } = execution;
    await first.pause(id);
    expect((await execution.result).status).toBe('paused');
    await first.signal(id, 'go', 1);
    await first.close();
    const between = await open({ store: place() });
    await between.signal(id, 'go', 2);
    await between.close();
    const last = await open({ store: place(), workflows: [workflow] });
    expect((await (await last.resume(id)).result).status).toBe('completed');
    expect((await last.get(id))!.node_outputs).toMatchObject({ one: 1, two: 2 });
  });
});

describe.each(storeKinds())('a signal that came in the last moment of an execution, on %s', (_, create) => {
  it('is heard when the execution goes on again', async () => {
    const place = create()();
    let failures = 1;
    const workflow = defineWorkflow({ id: 'late' })
      .node('fragile', {
        execute: () => {
          if (failures-- > 0) throw new Error('once');
        },
      })
      .node('late', { dependsOn: ['fragile'], waitFor: { signal: 'go' } })
      .build();
    const first = await open({ store: place });
    const { id, result } = await first.start(workflow);
    expect((await result).status).toBe('failed');
    await first.close();
    // Its sender was told that it is kept; the execution ended before it was read.
    const inbox = await openStore(place);
    const answer = { type: 'signalReceived', name: 'go', payload: '"late"', id: null } as const;
    await inbox.commit([
      inbox.putRequest({ requestId: 'r', executionId: id, createdAtMs: 1, kind: 'answer', answer }),
    ]);
    await inbox.close();
    const second = await open({ store: place, workflows: [workflow] });
    expect((await (await second.retry(id)).result).status).toBe('completed');
    expect((await second.get(id))!.node_outputs.late).toBe('late');
  });
});

describe.each(storeKinds())('sleep and wait_until, on %s', (_, create) => {
  it('survive restarts and fire once', async () => {
    const place = create();
    const ran = new Counter();
    const moment = new Date(Date.now() + 600_000);
    const workflow = defineWorkflow({ id: 'sleepy' })
      .node('sleep', { sleepSeconds: 600 })
      .node('until', { waitUntil: moment })
      .node('past', { waitUntil: '2001-01-01T00:00:00+01:00' })
      .node('after', {
        dependsOn: ['sleep', 'until', 'past'],
        execute: ({ dependencyOutputs }) => (ran.note('after'), dependencyOutputs),
      })
      .build();
    const first = await open({ store: place() });
    const { id } = await first.start(workflow);
    await until(
      async () => (await first.get(id))!.node_states.past.status === 'completed',
      'the past has come',
    );
    await first.close();
    const second = await open({ store: place(), workflows: [workflow], clock: anHourLater });
    await until(async () => (await second.get(id))!.status === 'completed', 'it has ended');
    expect(ran.of('after')).toBe(1);
    const { node_outputs, node_states } = (await second.get(id))!;
    expect(node_outputs.until).toEqual({ waited_until: moment.toISOString() });
    expect(node_outputs.past).toEqual({ waited_until: '2000-12-31T23:00:00.000Z' });
    expect(node_states.sleep.attempt_count).toBe(1);
    const started = (await collect(second.events(id))).filter((e) => e.event_type === 'node_started');
    expect(started.length).toBe(4);
  });

  it('are reached by cancel, and hold back what comes after them in linear mode', async () => {
    const runtime = await open({ store: create()() });
    const ran = new Counter();
    const workflow = defineWorkflow({ id: 'linear' })
      .node('sleep', { sleepSeconds: 3600 })
      .node('other', { execute: () => ran.note('other') })
      .build();
    const execution = await runtime.start(workflow, {}, { mode: 'linear' });
    await until(
      async () => (await runtime.get(execution.id))!.node_states.sleep.status === 'running',
      'it sleeps',
    );
    await runtime.cancel(execution.id);
    expect((await execution.result).status).toBe('cancelled');
    expect((await runtime.get(execution.id))!.node_states).toMatchObject({
      sleep: { status: 'cancelled' },
      other: { status: 'cancelled' },
    });
    expect(ran.of('other')).toBe(0);
  });
});

it('executions that only wait take no place from others', async () => {
  const runtime = await open({ maxActiveExecutions: 2 });
  const waiting = defineWorkflow({ id: 'waiting' })
    .node('go', { waitFor: { signal: 'go' } })
    .node('end', { dependsOn: ['go'], execute: () => null })
    .build();
  const executions = await Promise.all(Array.from({ length: 6 }, () => runtime.start(waiting)));
  const other = defineWorkflow({ id: 'other' })
    .node('one', { execute: () => 1 })
    .build();
  expect((await (await runtime.start(other)).result).status).toBe('completed');
  for (const { id } of executions) await runtime.signal(id, 'go');
  for (const { result } of executions) expect((await result).status).toBe('completed');
});
