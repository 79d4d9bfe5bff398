import { runInNewContext } from 'node:vm';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ForgetfulMap } from '../../src/base/forgetful-map.js';
import { IdMap } from '../../src/base/id-map.js';

describe('a forgetful map', () => {
  it('is what a Map is, in the same order', () => {
    const key = fc.integer({ min: 0, max: 6 });
    const command = fc.record({ op: fc.constantFrom('set', 'set', 'delete'), key });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const model = new Map<number, object>();
        const map = new ForgetfulMap<number, object>();
        for (const { op, key: each } of commands) {
          const value = { each };
          if (op === 'set') {
            model.set(each, value);
            map.set(each, value);
          } else expect(map.delete(each)).toBe(model.delete(each));
          expect(map.get(each)).toBe(model.get(each));
          expect(map.has(each)).toBe(model.has(each));
          expect(map.size).toBe(model.size);
          expect([...map.values()]).toEqual([...model.values()]);
          expect(map.keys()).toEqual([...model.keys()]);
        }
      }),
    );
  });

  it('shows those who walk it what is added and deleted meanwhile, as a Map does', () => {
    const map = new ForgetfulMap<string, { readonly name: string }>();
    for (const name of ['a', 'b', 'c']) map.set(name, { name });
    const seen: string[] = [];
    for (const { name } of map.values()) {
      seen.push(name);
      if (name === 'a') {
        map.delete('b');
        map.delete('a');
        map.set('a', { name: 'a again' });
      }
    }
    expect(seen).toEqual(['a', 'c', 'a again']);
  });
});

describe('what has come and gone', () => {
  const minor = collector();

  it.each([
    ['a forgetful map', () => new ForgetfulMap<number, object>()],
    ['an id map', () => new IdMap<object>()],
  ])('does not leave the young generation because of %s', (_, make) => {
    const map = make();
    const passThrough = (count: number): void => {
      for (let id = 0; id < count; id++) {
        // 1 KiB each, a hundred at a time.
        map.set(id, { held: new Array<number>(128).fill(0.5) });
        map.delete(id - 100);
      }
      for (let id = count - 100; id < count; id++) map.delete(id);
    };
    passThrough(1_000);
    // The map itself is old from here on.
    for (let time = 0; time < 3; time++) minor();
    const before = oldBytes();
    passThrough(20_000);
    minor();
    // With a Map some 12 MiB of the 20 are kept.
    expect(oldBytes() - before).toBeLessThan(4 * 2 ** 20);
  });
});

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: { type: 'minor' }) => void;
  return () => gc({ type: 'minor' });
}

function oldBytes(): number {
  const old = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space');
  return old!.space_used_size;
}
