import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Heap } from '../../src/base/heap.js';

it('hands out the first of what is in it, however pushes and pops interleave', () => {
  const step = fc.oneof(fc.nat(50), fc.constant('pop' as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new Heap<number>((a, b) => a < b);
      const model: number[] = [];
      for (const what of steps) {
        if (what === 'pop') {
          expect(heap.peek()).toBe(model[0]);
          expect(heap.pop()).toBe(model.shift());
        } else {
          heap.push(what);
          model.push(what);
          model.sort((a, b) => a - b);
        }
        expect(heap.size).toBe(model.length);
      }
      heap.clear();
      expect([heap.size, heap.pop()]).toEqual([0, undefined]);
    }),
    { numRuns: 500 },
  );
});
