import { expect, test } from 'vitest';
import { Lookout } from '../../src/pool/worker/lookout.js';

test('an event loop is kept awake for a moment after the last beginning, by one chain of calls', () => {
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
  lookout.begin();
  expect(turns(2)).toEqual([1, 1]);
  lookout.begin();
  expect(turns(6)).toEqual([1, 1, 1, 0, 0, 0]);
  lookout.begin();
  expect(turns(5)).toEqual([1, 1, 1, 0, 0]);
});
