import fc from 'fast-check';
import { expect, it } from 'vitest';
import { IdMap } from '../../src/base/id-map.js';

interface Command {
  readonly op: 'set' | 'delete' | 'get';
  readonly id: number;
}

/** Keys of a few chunks, near their borders, and one beyond what 32 bits hold. */
const id = fc.oneof(
  fc.integer({ min: 0, max: 8 }),
  fc.integer({ min: 250, max: 262 }),
  fc.integer({ min: 700, max: 1030 }),
  fc.constant(2 ** 40 + 3),
);
const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.record({ op: fc.constantFrom('set', 'set', 'delete', 'delete', 'get'), id }),
  { maxLength: 120 },
);

it('is what a Map is, whatever comes and goes', () => {
  fc.assert(
    fc.property(commands, (all) => {
      const model = new Map<number, object>();
      const map = new IdMap<object>();
      for (const { op, id: key } of all) {
        const value = { key };
        if (op === 'set') {
          model.set(key, value);
          map.set(key, value);
        } else if (op === 'delete') expect(map.delete(key)).toBe(model.delete(key));
        expect(map.get(key)).toBe(model.get(key));
        expect(map.size).toBe(model.size);
        expect(new Set(map.values())).toEqual(new Set(model.values()));
      }
    }),
  );
});

it('tells what it holds in the order of ids that were given in turn', () => {
  const map = new IdMap<{ readonly id: number }>();
  for (let at = 0; at < 2_000; at++) map.set(at, { id: at });
  for (let at = 0; at < 2_000; at += 3) map.delete(at);
  const left = map.values().map((item) => item.id);
  expect(left).toEqual([...left].sort((a, b) => a - b));
  expect(left).toHaveLength(map.size);
});
