import { expect, it } from 'vitest';
import type { Entry } from '../../src/engine/entries.js';
import { decodeJournalRecord, encodeJournalRecord } from '../../src/store/journal-codec.js';
import type { Kv, KvGuard, KvOp } from '../../src/store/kv.js';
import { workflowFromSpec, type NodeSpec } from '../../src/spec/index.js';
import { explore } from './explore.js';
import type { Broken } from './run.js';

/** Defects by name, and the promises whose breach tells of them. `from`: seeds before this one are left out. */
export type Mutations = Readonly<
  Record<string, { readonly broken: () => Broken; readonly codes: readonly string[]; readonly from?: number }>
>;

/** The seeds that the normal test run goes through. */
const CI_SEEDS = 2_000;

/** A disk whose commits are done by `commit`. */
export function withCommit(
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

/** A disk that writes what `change` makes of the ops. */
export function withOps(change: (ops: readonly KvOp[]) => readonly KvOp[]): () => Broken {
  return () => ({
    disk: (kv) => withCommit(kv, (ops, guards) => kv.commit(change(ops), guards)),
  });
}

/** A disk that changes the values of keys that match. */
export function withValues(
  match: RegExp,
  change: (key: string, value: Uint8Array) => Uint8Array,
): () => Broken {
  return withOps((ops) =>
    ops.map((op) =>
      op.op === 'put' && match.test(op.key) ? { ...op, value: change(op.key, op.value) } : op,
    ),
  );
}

/** A disk that changes the entries of journal records that match. */
export function withEntries(
  match: RegExp,
  change: (entries: readonly Entry[]) => readonly Entry[],
): () => Broken {
  return withValues(match, (key, value) => {
    const record = decodeJournalRecord(key, value);
    return encodeJournalRecord(key, { ...record, entries: change(record.entries) });
  });
}

/** Workflows whose nodes are started as `change` makes them. */
export function withNodes(change: (node: NodeSpec) => NodeSpec): () => Broken {
  return () => ({
    workflow: ({ spec, functions, subworkflows }) =>
      workflowFromSpec({ ...spec, nodes: spec.nodes.map(change) }, { functions, subworkflows }),
  });
}

export function mustBeFound(mutations: Mutations): void {
  it.each(Object.entries(mutations))(
    '%s',
    async (_, { broken, codes, from = 1 }) => {
      for (let seed = from; seed <= CI_SEEDS; seed++) {
        const { finding } = await explore(seed, broken());
        if (finding === null) continue;
        expect(codes, finding.message).toContain(finding.code);
        return;
      }
      expect.fail(`not found within ${CI_SEEDS} seeds`);
    },
    300_000,
  );
}
