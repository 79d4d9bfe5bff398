import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairLine } from '../../src/policy/fair-line.js';
import { queueLimits } from '../../src/policy/queue.js';

interface Item {
  readonly id: number;
  readonly priority: number;
  readonly key: string;
}

const actions = fc.array(
  fc.oneof(
    fc.record({ add: fc.constantFrom(-1, 0, 5), key: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ take: fc.nat({ max: 3 }) }),
  ),
  { maxLength: 200 },
);

describe('a fair line', () => {
  it('gives everybody out once, the highest priority first, in order within a key', () => {
    fc.assert(
      fc.property(actions, (given) => {
        const line = new FairLine<Item>();
        const waiting: Item[] = [];
        given.forEach((action, id) => {
          if ('add' in action) {
            const item = { id, priority: action.add, key: action.key };
            waiting.push(item);
            line.add(item, item.priority, item.key);
          } else {
            const next = line.peek();
            expect(line.take(action.take)).toBe(next);
            if (next === undefined) expect(waiting).toEqual([]);
            else {
              const highest = Math.max(...waiting.map(({ priority }) => priority));
              expect(next.priority).toBe(highest);
              expect(waiting.find(({ key, priority }) => key === next.key && priority === highest)).toBe(
                next,
              );
              waiting.splice(waiting.indexOf(next), 1);
            }
          }
          expect(line.size).toBe(waiting.length);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('lets no key get ahead of another by more than one turn while both wait', () => {
    const costs = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(costs, fc.integer({ min: 1, max: 60 }), (cost, turns) => {
        const line = new FairLine<string>();
        const keys = ['a', 'b', 'c'];
        // One of them has many in line, the others always one.
        for (let n = 0; n < 100; n++) line.add('a', 0, 'a');
        for (const key of ['b', 'c']) line.add(key, 0, key);
        const given = new Map(keys.map((key) => [key, 0]));
        for (let turn = 0; turn < turns; turn++) {
          const key = line.peek()!;
          const spent = cost[keys.indexOf(key)];
          line.take(spent);
          line.add(key, 0, key);
          given.set(key, given.get(key)! + spent);
          const all = [...given.values()];
          expect(Math.max(...all) - Math.min(...all)).toBeLessThanOrEqual(Math.max(...cost));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('does not let a key catch up on what it did not ask for', () => {
    const line = new FairLine<string>();
    for (let n = 0; n < 100; n++) {
      line.add('a', 0, 'a');
      line.take(1);
    }
    for (let n = 0; n < 10; n++) for (const key of ['a', 'b']) line.add(key, 0, key);
    const order = Array.from({ length: 10 }, () => line.take(1)).join('');
    expect(order.replaceAll('a', '').length).toBe(5);
  });
});

describe('queue options', () => {
  it.each([
    [4, { size: 4, rate: null, spacingMs: 0 }],
    [
      { size: 2, rate: '10/s' },
      { size: 2, rate: '10/s', spacingMs: 100 },
    ],
    [{ rate: '30/m' }, { size: Infinity, rate: '30/m', spacingMs: 2000 }],
    [{ rate: '1800/h' }, { size: Infinity, rate: '1800/h', spacingMs: 2000 }],
  ])('%j are read', (option, limits) => {
    expect(queueLimits({ q: option }).get('q')).toEqual(limits);
  });

  it.each([0, -1, 1.5, NaN, { size: 0 }, { rate: '10' }, { rate: '0/s' }, { rate: '10/d' }])(
    '%j are refused',
    (option) => {
      expect(() => queueLimits({ gpu: option })).toThrow('queue "gpu"');
    },
  );
});
