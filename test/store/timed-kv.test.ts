import { describe, expect, it } from 'vitest';
import type { Kv } from '../../src/store/kv.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { ANSWER_WITHIN_MS, TimedKv } from '../../src/store/timed-kv.js';
import { SimulatedClock } from '../support/simulation.js';

const SILENCE = new Promise<never>(() => {});
const put = (key: string) => [{ op: 'put', key, value: new Uint8Array([1]) }] as const;

/** A store of which some calls are never answered, and how it is seen. */
function silentAt(...calls: readonly (keyof Kv | 'next')[]): {
  kv: TimedKv;
  clock: SimulatedClock;
  inner: MemoryKv;
} {
  const inner = new MemoryKv();
  const clock = new SimulatedClock();
  const quiet = <T>(call: keyof Kv | 'next', work: () => Promise<T>): Promise<T> =>
    calls.includes(call) ? SILENCE : work();
  const store: Kv = {
    get: (key) => quiet('get', () => inner.get(key)),
    async *scan(range) {
      yield* inner.scan(range);
      await quiet('next', () => Promise.resolve());
    },
    keys: (range) => inner.keys(range),
    commit: (ops, guards) => quiet('commit', () => inner.commit(ops, guards)),
    close: () => quiet('close', () => inner.close()),
  };
  return { kv: new TimedKv(store, clock), clock, inner };
}

async function all<T>(entries: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of entries) found.push(each);
  return found;
}

describe('a store that does not answer', () => {
  it('fails a reading call, and only that', async () => {
    const { kv, clock } = silentAt('get');
    const began = clock.nowMs();
    await expect(clock.run(kv.get('k'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(clock.nowMs() - began).toBe(ANSWER_WITHIN_MS);
    await clock.run(kv.commit(put('k')));
    expect(await clock.run(all(kv.keys({ start: 'a', end: 'z' })))).toEqual(['k']);
  });

  it('fails a scan where it stops', async () => {
    const { kv, clock, inner } = silentAt('next');
    await inner.commit(put('k'));
    const seen: string[] = [];
    const scan = async (): Promise<void> => {
      for await (const { key } of kv.scan({ start: 'a', end: 'z' })) seen.push(key);
    };
    await expect(clock.run(scan())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(seen).toEqual(['k']);
  });

  it('fails all commits under way together', async () => {
    const { kv, clock } = silentAt('commit');
    const began = clock.nowMs();
    const failed: unknown[] = [];
    const commit = (key: string): Promise<void> =>
      kv.commit(put(key)).catch((error: unknown) => void failed.push(error));
    clock.setTimer(1_000, () => void commit('b'));
    await clock.run(commit('a'));
    await Promise.resolve();
    const lost = expect.objectContaining({ code: 'STORE_COMMIT' }) as unknown;
    expect(failed).toEqual([lost, lost]);
    expect(clock.nowMs() - began).toBe(ANSWER_WITHIN_MS);
  });

  it('fails a commit, and takes none after it', async () => {
    const { kv, clock, inner } = silentAt('commit');
    const late = expect(clock.run(kv.commit(put('k')))).rejects.toMatchObject({ code: 'STORE_COMMIT' });
    await late;
    const began = clock.nowMs();
    await expect(kv.commit(put('l'))).rejects.toMatchObject({ code: 'STORE_COMMIT' });
    expect(clock.nowMs()).toBe(began);
    expect(await inner.get('l')).toBeUndefined();
  });

  it('does not hold up who closes it: for a moment only, once a commit was not answered', async () => {
    const { kv, clock } = silentAt('commit', 'close');
    await expect(clock.run(kv.commit(put('k')))).rejects.toMatchObject({ code: 'STORE_COMMIT' });
    const began = clock.nowMs();
    await expect(clock.run(kv.close())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(clock.nowMs() - began).toBeLessThanOrEqual(1_000);
  });
});

it('a scan that is left early lets go of the cursor, and no timer stays behind', async () => {
  let released = 0;
  const inner = new MemoryKv();
  await inner.commit([...put('a'), ...put('b')]);
  const clock = new SimulatedClock();
  const store: Kv = {
    get: (key) => inner.get(key),
    async *scan(range) {
      try {
        yield* inner.scan(range);
      } finally {
        released++;
      }
    },
    keys: (range) => inner.keys(range),
    commit: (ops) => inner.commit(ops),
    close: () => inner.close(),
  };
  for await (const { key } of new TimedKv(store, clock).scan({ start: 'a', end: 'z' })) {
    expect(key).toBe('a');
    break;
  }
  expect(released).toBe(1);
  expect(clock.advance()).toBe(false);
});
