import { describe } from 'vitest';
import { WORKFLOW, type Entry } from '../../src/engine/entries.js';
import type { ErrorDocument } from '../../src/base/errors.js';
import type { Job, PoolListener, StepRef } from '../../src/pool/index.js';
import type { SimulatedPool } from '../../src/simulation/pool.js';
import { workflowFromSpec, type Workflow } from '../../src/spec/index.js';
import { FORMAT_VERSION, sealJson, unsealJson } from '../../src/store/envelope.js';
import type { InboxRequest } from '../../src/store/types.js';
import type { KvOp } from '../../src/store/kv.js';
import { mustBeFound, withCommit, withEntries, withOps, withValues, type Mutations } from './mutants.js';

/** A pool that says at once that a cancelled attempt has ended. */
function hasty(pool: SimulatedPool): SimulatedPool {
  let heard: PoolListener;
  return Object.assign(Object.create(pool) as SimulatedPool, {
    listen(listener: PoolListener) {
      heard = listener;
      pool.listen(listener);
    },
    cancel(jobId: number, error: ErrorDocument, graceMs: number) {
      pool.cancel(jobId, error, graceMs);
      queueMicrotask(() => heard.settled(jobId, { ok: false, kind: 'error', error, durationMs: 0 }));
    },
    dispatch: (jobs: readonly Job[]) => pool.dispatch(jobs),
    room: (step: StepRef) => pool.room(step),
    close: () => pool.close(),
  });
}

const FORK_BEGINS = /^x\/f\d+\/j\/0+$/;

/** A decision in the inbox, turned around. */
function turned(key: string, value: Uint8Array): Uint8Array {
  const request = unsealJson(key, value) as InboxRequest;
  if (request.kind !== 'answer' || request.answer.type !== 'reviewDecided') return value;
  const decision = request.answer.decision === 'approve' ? 'reject' : 'approve';
  return sealJson(key, { ...request, answer: { ...request.answer, decision } }, FORMAT_VERSION);
}

/** A workflow of which each node may have one attempt more. */
function moreAttempts({ spec, ...workflow }: Workflow): Workflow {
  const nodes = spec.nodes.map(({ retry_policy, ...node }) => ({
    ...node,
    ...(retry_policy && {
      retry_policy: { ...retry_policy, max_attempts: retry_policy.max_attempts! + 1 },
    }),
  }));
  return workflowFromSpec({ ...spec, nodes }, { functions: workflow.functions });
}

/** Defects planted in the parts a runtime is given. */
const MUTATIONS: Mutations = {
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
    codes: ['RECORD_AGREES'],
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
  'a signal to another process is told as kept, and is not': {
    broken: withOps((ops) => ops.filter(({ op, key }) => !(op === 'put' && key.startsWith('q/')))),
    codes: ['ANSWER_LOST'],
  },
  'an answer stays in the inbox although it was heard': {
    broken: withOps((ops) => ops.filter(({ op, key }) => !(op === 'del' && key.startsWith('q/')))),
    codes: ['SIGNAL_ONCE', 'ENDS'],
    from: 450,
  },
  'a decision is another one when it arrives': {
    broken: withValues(/^q\//, turned),
    codes: ['REVIEW_IS_FINAL'],
  },
  'a deletion is told, and is not done': {
    broken: withOps((ops) => ops.filter(({ op, key }) => !(op === 'del' && /^x\/.*\/r$/.test(key)))),
    codes: ['DELETED_IS_GONE', 'READS', 'STORE_VERIFIES'],
  },
  'a deletion leaves something behind': {
    broken: withOps((ops) => ops.filter(({ op, key }) => !(op === 'del' && /^x\/.*\/g$/.test(key)))),
    codes: ['DELETED_IS_GONE', 'STORE_VERIFIES'],
  },
  'what was deleted is written again': {
    broken: () => ({
      disk: (kv) => {
        let gone: KvOp[] = [];
        return withCommit(kv, (ops, guards) => {
          const late = gone;
          gone = ops
            .filter(({ op, key }) => op === 'del' && key.endsWith('/r'))
            .map(({ key }) => ({ op: 'put', key: key.replace(/r$/, 'g'), value: new Uint8Array(9) }));
          return kv.commit([...ops, ...late], guards);
        });
      },
    }),
    codes: ['DELETED_IS_GONE'],
  },
  'a deletion takes another execution along': {
    broken: withOps((ops) =>
      ops.some(({ op, key }) => op === 'del' && /^x\/e1\/r$/.test(key))
        ? [...ops, { op: 'del', key: 'x/e0/r' }]
        : ops,
    ),
    codes: ['DELETED_WHEN_ENDED', 'STORE_VERIFIES'],
  },
  'a fork has another result than its source': {
    broken: withEntries(FORK_BEGINS, (entries) =>
      entries.map((entry) =>
        entry.event.type === 'attemptSucceeded'
          ? { ...entry, event: { ...entry.event, output: '{"id":"another"}' } }
          : entry,
      ),
    ),
    codes: ['FORK_IS_SOURCE'],
  },
  'a fork forgets what its source had done': {
    broken: withEntries(FORK_BEGINS, (entries) => entries.slice(0, 1)),
    codes: ['FORK_IS_SOURCE', 'ANNOUNCED_NEVER_RERUNS'],
  },
  'a node has more attempts than its policy says': {
    broken: () => ({ workflow: moreAttempts }),
    codes: ['ATTEMPTS_OF_POLICY'],
  },
  'a failure stops nothing': {
    broken: () => ({
      workflow: ({ spec, functions }) =>
        workflowFromSpec({ ...spec, workflow: { ...spec.workflow, on_failure: 'continue' } }, { functions }),
    }),
    codes: ['FAIL_FAST_HOLDS'],
  },
  'the limit of a rerun is forgotten': {
    broken: withEntries(/^x\/.*\/j\//, (entries) =>
      entries.map((entry) =>
        entry.event.type === 'rerunRequested' && entry.node === WORKFLOW
          ? ({ ...entry, event: { ...entry.event, standing: 1000, nodes: [...Array(20).keys()] } } as Entry)
          : entry,
      ),
    ),
    codes: ['FAIL_FAST_HOLDS'],
    from: 800,
  },
  'a cancelled attempt is said to have ended while it goes on': {
    broken: () => ({ pool: hasty }),
    codes: ['ATTEMPTS_OVERLAP', 'GROUP_STOPS_FIRST', 'GROUP_LIMIT', 'CONCURRENCY'],
  },
  'a restart counts twice': {
    broken: withEntries(/^x\/.*\/j\//, (entries) =>
      entries.flatMap((entry) => (entry.event.type === 'groupRestarted' ? [entry, entry] : [entry])),
    ),
    codes: ['RESTART_INTENSITY'],
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

describe('a planted defect is found within the seeds of the normal run', () => mustBeFound(MUTATIONS));
