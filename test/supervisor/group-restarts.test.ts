import { describe, expect, it } from 'vitest';
import type { ExecutionEvent } from '../../src/observe/events.js';
import { defineWorkflow, type Workflow } from '../../src/spec/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { simulate, type Fate } from '../support/simulation.js';

interface Played {
  status: string;
  /** Attempts as they are sent: node, run, and when it was, in ms. */
  sent: string[];
  /** When each node was told to have been cancelled or failed, and each restart. */
  told: string[];
}

/** Runs a workflow; `fateOf` says what each attempt comes to, by node and run. */
async function play(workflow: Workflow, fateOf: (nodeId: string, run: number) => Fate): Promise<Played> {
  const sent: string[] = [];
  const told: string[] = [];
  const runs = new Map<string, number>();
  let now = (): number => 0;
  const { runtime, clock } = await simulate(new MemoryKv(), {
    seed: 1,
    workflows: [workflow],
    slots: 10,
    lossRate: 0,
    fateOf: (nodeId) => {
      const run = runs.get(nodeId) ?? 0;
      runs.set(nodeId, run + 1);
      sent.push(`${nodeId}/${run}@${now()}`);
      return fateOf(nodeId, run);
    },
    onEvent: ({ event_type, node_id }: ExecutionEvent) => {
      if (event_type === 'group_restarted' || event_type === 'node_cancelled')
        told.push(`${event_type} ${node_id}`);
    },
  });
  const began = clock.nowMs();
  now = () => clock.nowMs() - began;
  const execution = await clock.run(runtime.start(workflow, {}));
  const { status } = await clock.run(execution.result);
  await clock.run(runtime.close());
  return { status, sent, told };
}

const ok = (durationMs: number): Fate => ({ outcome: 'ok', durationMs, output: '{}' });
const fail = (durationMs: number): Fate => ({ outcome: 'fail', durationMs, output: '' });

type Options = Parameters<ReturnType<typeof pair>['group']>[1];
const pair = () =>
  defineWorkflow({ id: 'w', name: 'w' })
    .node('shaky', { execute: () => null })
    .node('slow', { execute: () => null });
const grouped = (options: Omit<Options, 'members'>): Workflow =>
  pair()
    .group('g', { members: ['shaky', 'slow'], ...options })
    .build();

/** What a cancelled attempt of the simulated pool takes to stop. */
const GRACE_MS = 5_000;

describe('a restart of a group', () => {
  it('begins when what was running has stopped, and charges nobody', async () => {
    const workflow = grouped({ strategy: 'one_for_all', maxRestarts: 1 });
    const { status, sent, told } = await play(workflow, (nodeId, run) =>
      nodeId === 'slow' ? ok(1_000) : run === 0 ? fail(100) : ok(100),
    );
    expect(status).toBe('completed');
    expect(sent).toEqual(['shaky/0@0', 'slow/0@0', `shaky/1@${100 + GRACE_MS}`, `slow/1@${100 + GRACE_MS}`]);
    expect(told).toEqual(['group_restarted g', 'node_cancelled slow']);
  });

  it('leaves the others alone under one_for_one', async () => {
    const workflow = grouped({ maxRestarts: 2 });
    const { status, sent } = await play(workflow, (nodeId, run) =>
      nodeId === 'slow' ? ok(1_000) : run < 2 ? fail(100) : ok(100),
    );
    expect(status).toBe('completed');
    expect(sent).toEqual(['shaky/0@0', 'slow/0@0', 'shaky/1@100', 'shaky/2@200']);
  });

  it('is refused by the group once there were too many, which fails then and cancels the rest if told to', async () => {
    const workflow = grouped({ maxRestarts: 2, onMemberFailure: 'cancel' });
    const { status, sent, told } = await play(workflow, (nodeId) =>
      nodeId === 'slow' ? ok(60_000) : fail(100),
    );
    expect(status).toBe('failed');
    expect(sent.filter((attempt) => attempt.startsWith('shaky'))).toHaveLength(3);
    expect(told).toEqual(['group_restarted g', 'group_restarted g', 'node_cancelled slow']);
  });

  it('is forgotten after the time that is given', async () => {
    const often = (durationMs: number): Promise<Played> =>
      play(grouped({ maxRestarts: 2, withinSeconds: 1 }), (nodeId, run) =>
        nodeId === 'slow' || run === 6 ? ok(0) : fail(durationMs),
      );
    expect((await often(300)).status).toBe('failed');
    // The third of them is later than one second after the first.
    expect((await often(501)).status).toBe('completed');
  });
});
