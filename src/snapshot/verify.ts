import { isMaestroError, toErrorDocument } from '../base/errors.js';
import { definitionHash } from '../spec/index.js';
import { planOf } from '../spec/index.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import { restoreState } from '../supervisor/restore.js';

/** What is wrong with one execution; without an id with the store as a whole. */
export interface Damage {
  readonly execution_id: string | null;
  readonly problem: string;
}

export interface VerifyReport {
  readonly executions: number;
  readonly damage: readonly Damage[];
}

const PAGE = 200;

/**
 * Reads every record of a store: what is damaged, missing or contradicts the rest is reported, execution by execution.
 * Writes nothing. Executions that are running may be looked at too.
 */
export async function verifyStore(
  store: ExecutionStore,
  onExecution: (executionId: string) => void = () => {},
): Promise<VerifyReport> {
  const damage: Damage[] = [];
  const seen = new Set<string>();
  let after: string | undefined;
  do {
    const page = await store.list({ order: 'oldest', limit: PAGE, after });
    for (const id of page.damaged ?? []) {
      seen.add(id);
      damage.push({ execution_id: id, problem: 'its record is damaged' });
    }
    for (const record of page.records) {
      seen.add(record.executionId);
      const problem = await problemOf(store, record);
      if (problem !== undefined) damage.push({ execution_id: record.executionId, problem });
      onExecution(record.executionId);
    }
    after = page.next;
  } while (after !== undefined);
  for await (const { executionId, what } of store.strays(seen)) {
    damage.push({ execution_id: executionId, problem: what });
  }
  return { executions: seen.size, damage };
}

async function problemOf(store: ExecutionStore, record: ExecutionRecord): Promise<string | undefined> {
  try {
    return await inspect(store, record);
  } catch (error) {
    // A run of the damaged journal through the machines may fail in any way: that is the finding.
    return isMaestroError(error) ? error.message : `it cannot be restored: ${toErrorDocument(error).message}`;
  }
}

async function inspect(store: ExecutionStore, seen: ExecutionRecord): Promise<string | undefined> {
  const { executionId } = seen;
  const stored = await store.load(executionId);
  if (stored === undefined) return undefined;
  const { record, spec, checkpoint } = stored;
  if (definitionHash(spec) !== record.definitionHash) return 'its definition is not the one of its hash';
  JSON.parse(stored.globalContext);
  const plan = planOf(spec);
  if (plan.nodeCount !== record.nodeCount) return `it has ${plan.nodeCount} nodes, not ${record.nodeCount}`;
  // From the journal alone, then from the checkpoint on: both must come to the same.
  const { state, nextSequence } = await restoreState(store, { ...stored, checkpoint: null }, plan);
  if (checkpoint !== null) {
    const again = await restoreState(store, stored, plan);
    const differing = state.plan.ids.find(
      (_, node) => state.columns.leaf[node] !== again.state.columns.leaf[node],
    );
    if (again.nextSequence === nextSequence && differing !== undefined)
      return `its checkpoint and its journal disagree about node "${differing}"`;
  }
  for (let node = 0; node < state.plan.nodeCount; node++) {
    const output = state.columns.output[node];
    if (output === null || typeof output === 'string') continue;
    const text = await store.getOutput(executionId, node, state.columns.run[node]);
    if (text === undefined) return `the output of node "${state.plan.ids[node]}" is missing`;
  }
  const rows = store.furtherRows(executionId);
  while ((await rows.next()).done !== true) continue;
  const current = await store.getRecord(executionId);
  const isStill = current?.status === record.status && current.updatedAtMs === record.updatedAtMs;
  if (isStill && record.durability !== 'exit' && state.workflowLeaf !== record.status && nextSequence > 0)
    return `its record says ${record.status}, its journal ${state.workflowLeaf}`;
  return undefined;
}
