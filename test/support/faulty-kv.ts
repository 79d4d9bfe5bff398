import { MaestroError } from '../../src/base/errors.js';
import type { Clock } from '../../src/base/clock.js';
import type { Kv, KvRange } from '../../src/store/kv.js';

/**
 * What goes wrong with a call: a commit is not applied, or is and fails all the same; either at once, or after the
 * adapter has given up waiting; or a call, reading too, is never answered, nor any commit after it; or from one call on
 * everything fails, reading too.
 */
export const FAULTS = [
  'before',
  'after',
  'hangs before',
  'hangs after',
  'silent before',
  'silent after',
  'keeps failing',
] as const;
export type Fault = (typeof FAULTS)[number];

/** As long as the LMDB adapter waits for a commit. */
const GIVE_UP_MS = 30_000;
const SILENCE = new Promise<never>(() => {});

export interface FaultyKv extends Kv {
  /** Whether the call that is to fail has come. */
  readonly hit: boolean;
}

/** A store whose call number `fatal` (from 1) goes wrong; as the port demands, no commit is applied after a failed one. */
export function faulty(kv: Kv, clock: Clock, fatal: number, fault: Fault): FaultyKv {
  let calls = 0;
  let hit = false;
  let failed = false;
  const strikes = (): boolean => {
    calls++;
    if (calls === fatal) hit = true;
    return calls === fatal || (fault === 'keeps failing' && calls > fatal);
  };
  const isSilent = fault.startsWith('silent');
  const read = async (): Promise<void> => {
    if (!strikes()) return;
    if (isSilent) await SILENCE;
    throw new MaestroError('STORE_CORRUPT', 'reading the store failed: a fault of the test');
  };
  const refuse = (): never => {
    failed = true;
    throw new MaestroError('STORE_COMMIT', 'writing to the store failed: a fault of the test');
  };
  return {
    get hit() {
      return hit;
    },
    async get(key) {
      await read();
      return kv.get(key);
    },
    async *scan(range: KvRange) {
      await read();
      yield* kv.scan(range);
    },
    async *keys(range: KvRange) {
      await read();
      yield* kv.keys(range);
    },
    async commit(ops, guards) {
      if (failed && isSilent) await SILENCE;
      if (failed) refuse();
      if (!strikes()) return kv.commit(ops, guards);
      failed = true;
      if (fault.endsWith('after')) await kv.commit(ops, guards);
      if (isSilent) await SILENCE;
      if (fault.startsWith('hangs')) await new Promise<void>((late) => clock.setTimer(GIVE_UP_MS, late));
      return refuse();
    },
    close: async () => {},
  };
}
