import { existsSync, statSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { MaestroError } from '../base/errors.js';
import type { NodeStatus } from '../base/model.js';
import { statusOfLeaf } from '../engine/columns.js';
import { planOf } from '../spec/index.js';
import { dataFile } from '../store/lmdb-label.js';
import { storeFolder } from '../store/lmdb-folder.js';
import { MemoryKv } from '../store/memory-kv.js';
import { openStore } from '../store/open.js';
import type { ExecutionStore } from '../store/types.js';
import { restoreState } from '../supervisor/restore.js';
import { fileLines } from './file.js';
import { importSnapshot } from './import.js';

/** What tells two executions apart: fields of the execution, and nodes by id. Each as it is in the one and the other. */
export interface ExecutionDifference {
  readonly fields: Readonly<Record<string, readonly [unknown, unknown]>>;
  readonly nodes: Readonly<Record<string, readonly [NodeView | null, NodeView | null]>>;
}

/** A node as it is compared. */
export interface NodeView {
  readonly status: NodeStatus;
  readonly attempts: number;
  readonly output: unknown;
}

/** Ids of executions that only the second has, only the first has, and that both have but not alike. */
export interface StoreDifference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: Readonly<Record<string, ExecutionDifference>>;
}

interface View {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly nodes: ReadonlyMap<string, NodeView>;
}

const PAGE = 200;

/**
 * Compares two places: each a store, a backup, or an export (which is read into memory). Creates none.
 * @throws STORE_UNAVAILABLE when there is nothing, SNAPSHOT_CORRUPT, RECORD_CORRUPT
 */
export async function diffStores(first: string, second: string): Promise<StoreDifference> {
  const a = await openPlace(first);
  try {
    const b = await openPlace(second);
    try {
      const [inA, inB] = [await idsOf(a), await idsOf(b)];
      const changed: Record<string, ExecutionDifference> = {};
      for (const id of inA) {
        if (!inB.has(id)) continue;
        const difference = compare(await viewOf(a, id), await viewOf(b, id));
        if (difference !== null) changed[id] = difference;
      }
      const missingIn = (ids: Set<string>, of: Set<string>) => [...of].filter((id) => !ids.has(id));
      return { added: missingIn(inA, inB), removed: missingIn(inB, inA), changed };
    } finally {
      await b.close();
    }
  } finally {
    await a.close();
  }
}

/** Compares two executions of one store, node by node; null when they are alike. @throws EXECUTION_NOT_FOUND */
export async function diffExecutions(
  place: string,
  first: string,
  second: string,
): Promise<ExecutionDifference | null> {
  const store = await openPlace(place);
  try {
    return compare(await viewOf(store, first), await viewOf(store, second));
  } finally {
    await store.close();
  }
}

async function openPlace(place: string): Promise<ExecutionStore & { close(): Promise<void> }> {
  if (statSync(place, { throwIfNoEntry: false })?.isFile() === true) {
    const store = await openStore(new MemoryKv());
    await importSnapshot(store, fileLines(place));
    return store;
  }
  const folder = storeFolder(place);
  if (existsSync(dataFile(folder))) return openStore(folder);
  throw new MaestroError('STORE_UNAVAILABLE', `there is neither a store nor an export at ${folder}`);
}

async function idsOf(store: ExecutionStore): Promise<Set<string>> {
  const ids = new Set<string>();
  let after: string | undefined;
  do {
    const page = await store.list({ order: 'oldest', limit: PAGE, after });
    for (const id of [...(page.damaged ?? []), ...page.records.map((each) => each.executionId)]) ids.add(id);
    after = page.next;
  } while (after !== undefined);
  return ids;
}

async function viewOf(store: ExecutionStore, id: string): Promise<View> {
  const stored = await store.load(id);
  if (stored === undefined) throw new MaestroError('EXECUTION_NOT_FOUND', `no execution ${id} is stored`);
  const { record } = stored;
  const { state } = await restoreState(store, stored, planOf(stored.spec));
  const nodes = new Map<string, NodeView>();
  for (const [node, nodeId] of state.plan.ids.entries()) {
    const { leaf, attempt, output, run } = state.columns;
    const kept = output[node];
    const text =
      kept === null || typeof kept === 'string' ? kept : await store.getOutput(id, node, run[node]);
    nodes.set(nodeId, {
      status: statusOfLeaf(leaf[node]),
      attempts: attempt[node],
      output: text === null || text === undefined ? null : (JSON.parse(text) as unknown),
    });
  }
  const fields = {
    workflow_id: record.workflowId,
    definition: record.definitionHash,
    mode: record.mode,
    status: state.workflowLeaf,
    global_context: JSON.parse(stored.globalContext) as unknown,
  };
  return { fields, nodes };
}

function compare(a: View, b: View): ExecutionDifference | null {
  const fields: Record<string, [unknown, unknown]> = {};
  for (const [name, value] of Object.entries(a.fields))
    if (!isDeepStrictEqual(value, b.fields[name])) fields[name] = [value, b.fields[name]];
  const nodes: [string, [NodeView | null, NodeView | null]][] = [];
  for (const id of new Set([...a.nodes.keys(), ...b.nodes.keys()])) {
    const both: [NodeView | null, NodeView | null] = [a.nodes.get(id) ?? null, b.nodes.get(id) ?? null];
    if (!isDeepStrictEqual(both[0], both[1])) nodes.push([id, both]);
  }
  if (nodes.length === 0 && Object.keys(fields).length === 0) return null;
  return { fields, nodes: Object.fromEntries(nodes) };
}
