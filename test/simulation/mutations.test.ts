import { describe, expect, it } from 'vitest';
import type { Kv, KvGuard, KvOp } from '../../src/store/kv.js';
import { explore } from './explore.js';
import type { Broken } from './run.js';

/** The seeds that the normal test run goes through. */
const CI_SEEDS = 2_000;

/** A disk whose commits are done by `commit`. */
function withCommit(
  kv: Kv,
  commit: (ops: readonly KvOp[], guards?: readonly KvGuard[]) => Promise<void>,
): Kv {
  return {
    get: (key) => kv.get(key),
    scan: (range) => kv.scan(range),
    keys: (range) => kv.keys(range),
    commit,
    close: () => kv.close(),
  };
}

/** Defects planted in the parts a runtime is given, and the promises whose breach tells of them. */
const MUTATIONS: Readonly<Record<string, { broken: () => Broken; codes: readonly string[] }>> = {
  'a commit is answered before it is written': {
    broken: () => ({
      disk: (kv) =>
        withCommit(kv, (ops, guards) => {
          const written = kv.commit(ops, guards);
          if (guards?.some(({ key }) => !key.startsWith('f/'))) return written;
          written.catch(() => {});
          return Promise.resolve();
        }),
    }),
    codes: ['DURABLE_BEFORE_TOLD', 'DURABLE_DEPENDENCIES'],
  },
  'attempts are sent before what they depend on is on disk': {
    broken: () => ({ boot: { durability: 'async' } }),
    codes: ['DURABLE_DEPENDENCIES'],
  },
  'the fence of a lost lease is ignored': {
    broken: () => ({
      disk: (kv) =>
        withCommit(kv, (ops, guards) =>
          kv.commit(
            ops,
            guards?.filter(({ key }) => !key.startsWith('f/')),
          ),
        ),
    }),
    codes: ['ONE_OWNER'],
  },
  'what was interrupted is not recovered': {
    broken: () => ({ boot: { recover: false, recoverEveryMs: undefined } }),
    codes: ['ENDS'],
  },
  'a journal record is forgotten now and then': {
    broken: () => ({
      disk: (kv) =>
        withCommit(kv, (ops, guards) =>
          kv.commit(
            ops.filter(({ key }) => !/\/j\/0*2$/.test(key)),
            guards,
          ),
        ),
    }),
    codes: ['JOURNAL_WITHOUT_GAPS', 'DURABLE_DEPENDENCIES', 'RECORD_AGREES', 'DURABLE_BEFORE_TOLD'],
  },
  'an output row is forgotten': {
    broken: () => ({
      disk: (kv) =>
        withCommit(kv, (ops, guards) =>
          kv.commit(
            ops.filter(({ key }) => !/\/o\//.test(key)),
            guards,
          ),
        ),
    }),
    codes: ['READS', 'INPUTS', 'STORE_VERIFIES', 'ERRORS_ARE_KNOWN'],
  },
  'the record of an execution is not written at its end': {
    broken: () => ({
      disk: (kv) =>
        withCommit(kv, (ops, guards) =>
          kv.commit(
            ops.some(({ key }) => /\/j\//.test(key)) ? ops.filter(({ key }) => !/\/r$/.test(key)) : ops,
            guards,
          ),
        ),
    }),
    codes: ['RUNTIME_LIVES', 'ENDS', 'DURABLE_BEFORE_TOLD'],
  },
  'an event is told twice': {
    broken: () => ({
      event: (event, tell) => {
        tell(event);
        if (event.event_type === 'node_completed') tell(event);
      },
    }),
    codes: ['TOLD_ONCE'],
  },
  'something depends on chance': {
    broken: () => ({
      boot: {
        get seed() {
          return Math.floor(Math.random() * 1e9);
        },
      },
    }),
    codes: ['DETERMINISTIC'],
  },
};

describe('a planted defect is found within the seeds of the normal run', () => {
  it.each(Object.entries(MUTATIONS))('%s', async (_, { broken, codes }) => {
    for (let seed = 1; seed <= CI_SEEDS; seed++) {
      const { finding } = await explore(seed, broken());
      if (finding === null) continue;
      expect(codes).toContain(finding.code);
      return;
    }
    expect.fail(`not found within ${CI_SEEDS} seeds`);
  });
});
