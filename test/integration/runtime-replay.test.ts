import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  defineWorkflow,
  type ExecutionDocument,
  type ExecutionEvent,
  systemClock,
  type NodeStatus,
} from '../../src/runtime/index.js';
import { maestro, makeFolder } from './support/maestro.js';
import { collect, runtimes, storeKinds } from './support/runtimes.js';

const open = runtimes();

/** What a document must say by the events up to it. */
const STATUS_AFTER: Partial<Record<ExecutionEvent['event_type'], NodeStatus>> = {
  node_ready: 'ready',
  node_started: 'running',
  node_completed: 'completed',
  node_failed: 'failed',
  node_skipped: 'skipped',
  node_blocked: 'blocked',
};

function statusesBy(events: readonly ExecutionEvent[], ids: readonly string[]): Record<string, NodeStatus> {
  const statuses = Object.fromEntries(ids.map((id) => [id, 'pending'])) as Record<string, NodeStatus>;
  for (const { event_type, node_id } of events) {
    const status = STATUS_AFTER[event_type];
    if (node_id !== undefined && status !== undefined) statuses[node_id] = status;
  }
  return statuses;
}

const statusesOf = ({ node_states }: ExecutionDocument) =>
  Object.fromEntries(Object.values(node_states).map(({ node_id, status }) => [node_id, status]));

describe.each(storeKinds())('replay on %s', (_, create) => {
  it('gives every moment between nothing and the end, in step with the events', async () => {
    // A clock of which every reading is later: the record is then written after the last change, as on a slow machine.
    let nowMs = 0;
    const clock = { ...systemClock, nowMs: () => (nowMs = Math.max(Date.now(), nowMs + 1)) };
    const runtime = await open({ store: create()(), clock });
    let failures = 1;
    const workflow = defineWorkflow({ id: 'w', onFailure: 'continue' })
      .node('a', { execute: () => ({ text: 'x'.repeat(70_000) }) })
      .node('b', {
        dependsOn: ['a'],
        retry: { maxAttempts: 2, delaySeconds: 0.01 },
        execute: () => {
          if (failures-- > 0) throw new Error('once');
          return 1;
        },
      })
      .node('c', { dependsOn: ['a'], condition: 'false', execute: () => 2 })
      .node('d', {
        dependsOn: ['a'],
        execute: () => {
          throw new Error('always');
        },
      })
      .node('e', { dependsOn: ['d'], execute: () => 3 })
      .build();
    const { id, result } = await runtime.start(workflow, { from: 'here' });
    await result;
    const now = (await runtime.get(id))!;
    const { total_changes } = await runtime.replay(id);
    expect(await runtime.replay(id)).toMatchObject({ ...now, at_change: total_changes });
    const events = await collect(runtime.events(id));
    const wanted = new Set(
      events.map((_, i) => JSON.stringify(statusesBy(events.slice(0, i + 1), ['a', 'b', 'c', 'd', 'e']))),
    );
    const seen = new Set<string>();
    for (let at = 0; at <= total_changes; at++) {
      const document = await runtime.replay(id, at);
      expect(document).toMatchObject({ at_change: at, total_changes, global_context: { from: 'here' } });
      expect(Object.keys(document.node_outputs).length).toBe(document.completed_nodes);
      seen.add(JSON.stringify(statusesOf(document)));
    }
    // Every state the events tell of was one, and none other was.
    expect([...wanted].filter((each) => !seen.has(each))).toEqual([]);
    expect(await runtime.replay(id, 0)).toMatchObject({
      status: 'pending',
      completed_nodes: 0,
      node_outputs: {},
    });

    const aDone = events.find(({ event_type }) => event_type === 'node_completed')!;
    const then = await runtime.replay(id, new Date(Date.parse(aDone.timestamp)));
    expect(then.node_states.a.status).toBe('completed');
    expect((await runtime.replay(id, new Date(0))).at_change).toBe(0);
    for (const at of [-1, 1.5, total_changes + 1, NaN, new Date(NaN)])
      await expect(runtime.replay(id, at)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(runtime.replay('nope')).rejects.toMatchObject({ code: 'EXECUTION_NOT_FOUND' });
    // It wrote nothing.
    expect(await runtime.get(id)).toEqual(now);
  });
});

describe('maestro replay', () => {
  let folder: ReturnType<typeof makeFolder>;
  beforeAll(async () => {
    folder = makeFolder({
      'w.yaml': "workflow: { id: w, name: W }\nnodes:\n  - { id: a, name: a, type: custom, run: 'true' }\n",
    });
    await run('run', 'w.yaml', '--id', 'one');
  });
  afterAll(() => folder.remove());
  const run = (...args: string[]) => maestro(args, { cwd: folder.path });

  it('shows a past moment', async () => {
    const { code, out } = await run('replay', 'last', '--at', '1', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      execution_id: 'one',
      status: 'running',
      at_change: 1,
      completed_nodes: 0,
    });
    expect((await run('replay', 'one')).out).toMatch(/^after (\d+) of \1 state changes, [^]*completed/);
  });

  it.each([
    [['replay', 'one', '--at', '99'], 2, /there is no number 99/],
    [['replay', 'one', '--at', 'soon'], 2, /--at "soon" is neither/],
    [['replay', 'nope'], 1, /EXECUTION_NOT_FOUND/],
  ])('%j ends with %i', async (args, exit, message) => {
    const { code, out, err } = await run(...args);
    expect({ code, out }).toEqual({ code: exit, out: '' });
    expect(err).toMatch(message);
  });
});
