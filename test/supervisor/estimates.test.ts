import { describe, expect, it } from 'vitest';
import { compilePlan } from '../../src/graph/index.js';
import { Estimates } from '../../src/supervisor/estimates.js';

/** a before b, and c alone. */
const plan = compilePlan([
  { id: 'a', dependencies: [] },
  { id: 'b', dependencies: ['a'] },
  { id: 'c', dependencies: [] },
]);
const estimates = (seconds: readonly (number | undefined)[] = []) =>
  new Estimates(plan, (node) => seconds[node]);
const [A, B, C] = [0, 1, 2];

describe('what is known of durations', () => {
  it('is nothing at first, nor of nodes that take no time worth an order', () => {
    const none = estimates();
    expect(none.current()).toBeNull();
    for (const node of [A, B, C]) none.note(node, 4);
    expect(none.current()).toBeNull();
  });

  it('is what is declared, then what is measured', () => {
    const declared = estimates([1, undefined, 1.5]);
    expect([...declared.current()!]).toEqual([1000, 0, 1500]);
    declared.note(B, 2000);
    expect([...declared.current()!]).toEqual([3000, 2000, 1500]);
    // A step that turns out to be short is found to be short after a few runs.
    for (let run = 0; run < 30; run++) declared.note(C, 1);
    expect(declared.current()![C]).toBeLessThan(6);
  });

  it('keeps an order that hardly changes: it is not made anew for each execution', () => {
    const measured = estimates();
    measured.note(A, 100);
    const ranks = measured.current();
    for (let run = 0; run < 10; run++) measured.note(A, 101);
    expect(measured.current()).toBe(ranks);
    measured.note(A, 1000);
    expect(measured.current()).not.toBe(ranks);
  });
});
