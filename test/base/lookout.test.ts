import { expect, test } from 'vitest';
import { Lookout } from '../../src/base/lookout.js';

test('an event loop is kept awake as long as was asked for last, by one chain of calls', () => {
  let nowMs = 1000;
  let waiting: (() => void)[] = [];
  const turns = (count: number): number[] =>
    Array.from({ length: count }, () => {
      nowMs += 0.03;
      const now = waiting;
      waiting = [];
      now.forEach((fn) => fn());
      return waiting.length;
    });
  const lookout = new Lookout(
    () => nowMs,
    (fn) => waiting.push(fn),
  );
  lookout.keep(0.1);
  expect(turns(2)).toEqual([1, 1]);
  lookout.keep(0.1);
  lookout.keep(0.01);
  expect(turns(6)).toEqual([1, 1, 1, 0, 0, 0]);
  lookout.keep(0.05);
  expect(turns(3)).toEqual([1, 0, 0]);
});
