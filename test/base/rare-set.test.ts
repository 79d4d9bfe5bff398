import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RareSet } from '../../src/base/rare-set.js';

it('is what a Set is, in the same order', () => {
  const value = fc.integer({ min: 0, max: 5 });
  const command = fc.record({ op: fc.constantFrom('add', 'add', 'delete', 'clear'), value });
  fc.assert(
    fc.property(fc.array(value), fc.array(command), (first, commands) => {
      const model = new Set(first);
      const set = new RareSet(first);
      for (const { op, value: each } of commands) {
        if (op === 'add') {
          model.add(each);
          set.add(each);
        } else if (op === 'delete') expect(set.delete(each)).toBe(model.delete(each));
        else {
          model.clear();
          set.clear();
        }
        expect([...set]).toEqual([...model]);
        expect(set.size).toBe(model.size);
        expect(set.has(each)).toBe(model.has(each));
      }
    }),
  );
});
