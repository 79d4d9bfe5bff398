import { describe } from 'vitest';
import { workflowFromSpec } from '../../src/spec/index.js';
import { FORMAT_VERSION, sealJson, unsealJson } from '../../src/store/envelope.js';
import { mustBeFound, withCommit, withEntries, withNodes, withValues, type Mutations } from './mutants.js';

/** Defects planted in what features are made of. */
const MUTATIONS: Mutations = {
  'an edge is said to be taken the other way': {
    broken: withEntries(/^x\/.*\/j\//, (entries) =>
      entries.map((entry) =>
        entry.event.type === 'edgeEvaluated' && entry.event.verdict.taken !== null
          ? { ...entry, event: { ...entry.event, verdict: { taken: !entry.event.verdict.taken } } }
          : entry,
      ),
    ),
    codes: ['EDGES'],
  },
  'a loop goes round once more': {
    broken: withNodes(({ repeat, ...node }) => ({
      ...node,
      ...(repeat !== undefined && { repeat: { ...repeat, max: repeat.max + 1 } }),
    })),
    codes: ['LOOP_BOUNDS'],
  },
  'a loop ends too early': {
    broken: withNodes(({ repeat, ...node }) => ({
      ...node,
      ...(repeat !== undefined && { repeat: { ...repeat, until: 'true' } }),
    })),
    codes: ['LOOP_BOUNDS'],
  },
  'the list of a map has one item more': {
    broken: withNodes(({ map, ...node }) => ({ ...node, ...(map !== undefined && { map: `${map} + [9]` }) })),
    codes: ['MAP_ITEMS'],
  },
  'a map gives another list': {
    broken: withEntries(/^x\/.*\/j\//, (entries) =>
      entries.map((entry) =>
        entry.event.type === 'attemptSucceeded' && JSON.stringify(entry.event.output).startsWith('"[{')
          ? { ...entry, event: { ...entry.event, output: '[1]' } }
          : entry,
      ),
    ),
    codes: ['MAP_ITEMS'],
  },
  'time is over too early': {
    broken: withNodes(({ total_timeout_seconds: seconds, ...node }) => ({
      ...node,
      ...(seconds !== undefined && { total_timeout_seconds: seconds / 2 }),
    })),
    codes: ['TIMEOUTS'],
  },
  'what completed is not compensated': {
    broken: () => ({
      workflow: ({ spec, functions, subworkflows }) => {
        const { compensate, ...header } = spec.workflow;
        const workflow = { ...header, ...(compensate !== undefined && { compensate: 'on_cancel' }) };
        return workflowFromSpec({ ...spec, workflow }, { functions, subworkflows });
      },
    }),
    codes: ['COMPENSATION'],
  },
  'a kept result is another one': {
    broken: withValues(/^h\//, (key, value) =>
      sealJson(key, { ...(unsealJson(key, value) as object), output: '{"id":"another"}' }, FORMAT_VERSION),
    ),
    codes: ['CACHE'],
  },
  'a queue has more room than it is told': {
    broken: () => ({ boot: { queues: { q1: 3, q2: 4, q3: 3 } } }),
    codes: ['QUEUE_SLOTS'],
  },
  'more nodes run at once than may': {
    broken: () => ({ boot: { mode: 'dag_parallel' } }),
    codes: ['CONCURRENCY'],
  },
  'the end of a child is not stored': {
    broken: () => ({
      disk: (kv) =>
        withCommit(kv, (ops, guards) => {
          const isNew = ops.some(({ key }) => key.endsWith('/g'));
          const isEnd = (key: string): boolean => !isNew && /^x\/[^/]*\+[^/]*\/(?:r$|j\/)/.test(key);
          return kv.commit(
            ops.filter(({ key }) => !isEnd(key)),
            guards,
          );
        }),
    }),
    codes: ['CHILD_ENDS_FIRST'],
    // Others before find that what the child told is not stored.
    from: 30,
  },
};

describe('a planted defect is found within the seeds of the normal run', () => mustBeFound(MUTATIONS));
