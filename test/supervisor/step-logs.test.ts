import { expect, it } from 'vitest';
import type { KvOp } from '../../src/store/kv.js';
import type { StepLog } from '../../src/store/step-logs.js';
import type { ExecutionStore } from '../../src/store/types.js';
import type { RunningJob } from '../../src/supervisor/running-job.js';
import { StepLogs } from '../../src/supervisor/step-logs.js';
import { TimerHeap } from '../../src/supervisor/timer-heap.js';
import { SimulatedClock } from '../support/simulation.js';

/** Logs of a store that only says what it would write. */
function logsWith(options: { limit?: number; early?: boolean } = {}) {
  const clock = new SimulatedClock(0);
  const due: string[][] = [];
  const store = {
    putLog: (id: string, { node, attempt, entries }: StepLog) => ({
      op: 'del',
      key: `${id} ${node}.${attempt} ${entries.map(({ text }) => text).join('')}`,
    }),
  } as Partial<ExecutionStore> as ExecutionStore;
  const logs = new StepLogs({
    store,
    clock,
    timers: new TimerHeap(clock),
    limit: options.limit ?? 1000,
    early: options.early ?? true,
    due: (ops) => due.push(ops.map(({ key }) => key)),
  });
  return { logs, clock, due };
}

const job = (node: number, released = false) =>
  ({ execution: { id: 'e', released }, node, run: 0, attempt: 1 }) as Partial<RunningJob> as RunningJob;
const keyOf = (op: KvOp | undefined) => op?.key;

it('writes nothing for an attempt that wrote nothing', () => {
  const { logs, clock } = logsWith();
  expect(logs.settle(job(0))).toBeUndefined();
  expect(logs.take()).toEqual([]);
  expect(clock.advance()).toBe(false);
});

it('gives what an attempt wrote when it is over, once', () => {
  const { logs, clock, due } = logsWith();
  const one = job(1);
  logs.append(one, 'stdout', 'a', 0);
  logs.append(one, 'stderr', 'b', 0);
  expect(keyOf(logs.settle(one))).toBe('e 1.1 ab');
  expect(logs.settle(one)).toBeUndefined();
  while (clock.advance());
  expect(due).toEqual([]);
});

it('stores what running attempts wrote together, at most once a second, and only what is new', () => {
  const { logs, clock, due } = logsWith();
  const [one, two, three] = [job(1), job(2), job(3)];
  for (const each of [one, two, three]) logs.append(each, 'stdout', 'x', 0);
  logs.append(one, 'stdout', 'y', 0);
  logs.settle(three);
  expect(clock.advance()).toBe(true);
  expect(clock.nowMs()).toBe(1000);
  expect(due).toEqual([['e 1.1 xy', 'e 2.1 x']]);
  // Nobody wrote anything since: no timer runs.
  expect(clock.advance()).toBe(false);
  logs.append(two, 'stdout', 'z', 0);
  clock.advance();
  expect(due[1]).toEqual(['e 2.1 xz']);
  expect(logs.settle(one)).toBeUndefined();
});

it('stores nothing early when results are not stored early either', () => {
  const { logs, clock } = logsWith({ early: false });
  const one = job(1);
  logs.append(one, 'stdout', 'x', 0);
  expect(clock.advance()).toBe(false);
  expect(logs.take().map(keyOf)).toEqual(['e 1.1 x']);
});

it('leaves no row of an execution that has left', () => {
  const { logs } = logsWith();
  const one = job(1);
  logs.append(one, 'stdout', 'x', 0);
  Object.assign(one.execution, { released: true });
  expect(logs.settle(one)).toBeUndefined();
});

it('keeps nothing with a limit of 0', () => {
  const { logs } = logsWith({ limit: 0 });
  const one = job(1);
  logs.append(one, 'stdout', 'x', 0);
  expect(logs.settle(one)).toBeUndefined();
});
