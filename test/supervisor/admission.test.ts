import { describe, expect, it } from 'vitest';
import { STEP_KINDS, type Pool, type StepKind as Kind, type StepRef } from '../../src/pool/index.js';
import { Queues } from '../../src/supervisor/queues.js';
import type { ActiveExecution } from '../../src/supervisor/active-execution.js';
import { Admission } from '../../src/supervisor/admission.js';
import type { Jobs } from '../../src/supervisor/jobs.js';

const LANES = STEP_KINDS;

/** An execution as admission sees it: nodes by kind of step that may start. `peeks` counts how often it is asked. */
class FakeExecution {
  private static made = 0;
  running = 0;
  peeks = 0;
  readonly nodes: Kind[] = [];
  readonly queues: number[][] = LANES.map(() => []);
  readonly definition = { queues: null, stepOf: (node: number) => ({ kind: this.nodes[node] }) };
  readonly engine = {
    definition: { laneCount: LANES.length },
    peek: (lane: number) => {
      this.peeks++;
      return this.queues[lane].length > 0 ? this.queues[lane][0] : -1;
    },
    start: (lane: number) => {
      this.queues[lane].shift();
      this.running++;
    },
  };

  constructor(
    ready: Partial<Record<Kind, number>>,
    readonly concurrency = Infinity,
    readonly id = `e${FakeExecution.made++}`,
  ) {
    LANES.forEach((kind, lane) => {
      for (let n = ready[kind] ?? 0; n > 0; n--) this.queues[lane].push(this.nodes.push(kind) - 1);
    });
  }

  get waiting(): number {
    return this.queues.reduce((sum, queue) => sum + queue.length, 0);
  }
}

/** An admission over a pool with so much room, with these executions offered. `admit` takes that room. */
function admission(executions: readonly FakeExecution[], concurrency = Infinity) {
  const room = { inline: 0, module: 0, process: 0, command: 0 };
  const pool = { room: ({ kind }: StepRef) => room[kind] } as unknown as Pool;
  const queues = new Queues(new Map(), { add: () => () => {} }, () => {});
  const held = new Set<unknown>();
  const subject = new Admission(pool, concurrency, queues, { holds: (execution) => held.has(execution) });
  const offer = (execution: FakeExecution): void => subject.offer(execution as unknown as ActiveExecution);
  executions.forEach(offer);
  const admit = (free: Partial<typeof room>, size = 0): FakeExecution[] => {
    Object.assign(room, { inline: 0, module: 0, process: 0, command: 0 }, free);
    const touched = new Set<unknown>();
    const jobs = { size, waiting: () => 0 } as unknown as Jobs;
    subject.admit(0, jobs, (execution) => touched.add(execution));
    return executions.filter((execution) => touched.has(execution));
  };
  return { subject, admit, offer, held };
}

describe('admission', () => {
  it('lets executions take turns', () => {
    const [a, b] = [new FakeExecution({ inline: 3 }), new FakeExecution({ inline: 3 })];
    const { admit } = admission([a, b]);
    expect(admit({ inline: 2 })).toEqual([a]);
    expect(admit({ inline: 2 })).toEqual([b]);
    expect(admit({ inline: 2 })).toEqual([a, b]);
    expect([a.waiting, b.waiting]).toEqual([0, 0]);
  });

  it('is not held up in one kind of step by another that has no room', () => {
    const blocked = Array.from({ length: 100 }, () => new FakeExecution({ command: 1 }));
    const last = new FakeExecution({ command: 1, inline: 2, module: 1 });
    const { admit } = admission([...blocked, last]);
    expect(admit({ inline: 1, module: 1 })).toEqual([last]);
    expect(last.queues.map((queue) => queue.length)).toEqual([1, 0, 0, 1]);
    expect(admit({ command: 101 })).toHaveLength(101);
  });

  it('looks at few of those that wait while there is no room', () => {
    const executions = Array.from({ length: 1000 }, () => new FakeExecution({ inline: 2 }));
    const { admit } = admission(executions);
    admit({});
    for (const execution of executions) execution.peeks = 0;
    admit({});
    expect(executions.reduce((sum, { peeks }) => sum + peeks, 0)).toBeLessThan(100);
    expect(admit({ inline: 2000 })).toHaveLength(1000);
  });

  it('keeps to the limits of the runtime and of each execution', () => {
    const [a, b] = [new FakeExecution({ inline: 3 }, 2), new FakeExecution({ inline: 3 })];
    const { admit, offer } = admission([a, b], 3);
    admit({ inline: 10 });
    expect([a.running, b.running]).toEqual([2, 1]);
    admit({ inline: 10 }, 3);
    expect([a.running, b.running]).toEqual([2, 1]);
    a.running = 0;
    offer(a);
    admit({ inline: 10 }, 1);
    expect([a.running, b.running]).toEqual([0, 3]);
    admit({ inline: 10 }, 2);
    expect([a.running, b.running]).toEqual([1, 3]);
  });

  it('gives no kind of step all of a small limit', () => {
    const execution = new FakeExecution({ inline: 10, module: 10, process: 10, command: 10 });
    const { admit } = admission([execution], 1);
    const everywhere = { inline: 5, module: 5, process: 5, command: 5 };
    for (let turn = 0; turn < 12; turn++) admit(everywhere);
    expect(execution.queues.map((queue) => queue.length)).toEqual([7, 7, 7, 7]);
  });

  it('starts nothing of what is held back until that is offered again', () => {
    const [a, b] = [new FakeExecution({ inline: 2 }), new FakeExecution({ inline: 2 })];
    const { admit, offer, held } = admission([a, b]);
    held.add(a);
    expect(admit({ inline: 3 })).toEqual([b]);
    held.delete(a);
    expect(admit({ inline: 3 })).toEqual([]);
    offer(a);
    expect(admit({ inline: 3 })).toEqual([a]);
    expect([a.waiting, b.waiting]).toEqual([0, 0]);
  });

  it('starts nothing of what was withdrawn, and nothing once closed', () => {
    const [a, b] = [new FakeExecution({ inline: 2 }), new FakeExecution({ inline: 2 })];
    const { subject, admit } = admission([a, b]);
    admit({ inline: 1 });
    subject.withdraw(a as unknown as ActiveExecution);
    expect(admit({ inline: 1 })).toEqual([b]);
    subject.closed = true;
    expect(admit({ inline: 10 })).toEqual([]);
  });

  it('keeps what came back into memory before it had quite left', () => {
    const before = new FakeExecution({ inline: 0 }, Infinity, 'the same');
    const after = new FakeExecution({ inline: 2 }, Infinity, 'the same');
    const { subject, admit } = admission([before, after]);
    // Now it stands in line.
    admit({ inline: 0 });
    subject.withdraw(before as unknown as ActiveExecution);
    expect(admit({ inline: 1 })).toEqual([after]);
  });
});
