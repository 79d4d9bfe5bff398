import { forkManifests } from './artifacts.js';
import type { NodeEvent } from '../../machines/events.js';
import { MaestroError } from '../base/errors.js';
import { LEAF } from '../engine/columns.js';
import { WORKFLOW, type Entry } from '../engine/entries.js';
import type { ExecutionState } from '../engine/execution-state.js';
import {
  dependenciesOf,
  descendants,
  growingPlan,
  indexOfNode,
  stageOf,
  withMaps,
  withMembers,
  type Plan,
} from '../graph/index.js';
import { MAX_MAP_OUTPUT_BYTES } from '../policy/map.js';
import type { KvOp } from '../store/kv.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import type { Definition } from '../supervisor/definition.js';
import { restoreState } from '../supervisor/restore.js';
import { notFound } from './history.js';
import { newRecord } from './records.js';
import type { Steering } from './steering.js';
import type { Execution, ForkOptions } from './types.js';

/**
 * Begins a new execution that keeps what another one had done before some nodes: its journal begins with those
 * results, so that everything that reads journals (recovery, replay, export) needs to know nothing of forks. One
 * commit makes it; before that there is nothing.
 * @see Runtime.fork
 */
export async function fork(
  steering: Steering,
  executionId: string,
  { from, context = {}, executionId: newId, workflow }: ForkOptions,
): Promise<Execution> {
  const { host } = steering;
  const { store, definitions, settings, ownership } = host;
  host.assertOpen();
  const stored = await store.load(executionId);
  if (stored === undefined) throw notFound(executionId);
  const { record: source, spec } = stored;
  const definition = definitions.forStored(source, spec, workflow);
  const { state } = await restoreState(store, stored, definition.plan);
  const kept = keptNodes(definition, state, from);
  const options = { executionId: newId, mode: source.mode };
  const fresh = newRecord(definition.workflow, options, settings, ownership.self.ownerId);
  const record = asFork(fresh, source, from, state, kept);
  const globalContext = overlaid(stored.globalContext, context);
  const { executionId: id } = record;
  const isKept = new Set(kept);
  const ops = [
    ...store.create(record, spec, globalContext),
    store.appendJournal(id, { sequence: 0, entries: history(state, kept, record.createdAtMs) }),
    ...(await outputs(store, executionId, id, state, kept)),
    ...(await forkManifests(store, settings.artifactRoot, source, id, (node) =>
      isKept.has(node) ? state.columns.run[node] : undefined,
    )),
  ];
  const handle = await steering.startStored(record, ops, { workflow });
  settings.logger.info({ execution_id: id, forked_from: executionId }, 'forked');
  return handle;
}

/** What is done and depends on nothing that runs again, dependencies first. @throws NODE_NOT_FOUND, USAGE */
function keptNodes(
  { compensations }: Definition,
  { plan, columns }: ExecutionState,
  from: readonly string[],
): readonly number[] {
  if (!Array.isArray(from) || from.length === 0)
    throw new MaestroError('USAGE', 'a fork needs a list of nodes to begin from');
  const first = withMembers(
    plan,
    (from as readonly string[]).map((nodeId) => stageOf(plan, indexOfNode(plan, nodeId))),
  );
  const again = new Set([...withMaps(plan, first), ...descendants(plan, withMaps(plan, first))]);
  const kept = new Set<number>();
  for (const node of plan.order) {
    // Of a map that is done its result is kept, not its items.
    if (node >= plan.fixedCount) continue;
    const isDone = columns.leaf[node] === LEAF.completed || columns.leaf[node] === LEAF.skipped;
    // What another execution has done to compensate is nothing to this one.
    if (
      isDone &&
      !compensations.has(node) &&
      !again.has(node) &&
      !namesItems(plan, columns, node) &&
      dependenciesOf(plan, node).every((each) => kept.has(each))
    )
      kept.add(node);
  }
  return [...kept];
}

/** Whether a map's result leaves large results to its items: without those it is not whole, and is made again. */
function namesItems(plan: Plan, { output }: ExecutionState['columns'], node: number): boolean {
  const map = plan.mapOf.get(node);
  if (map === undefined) return false;
  let bytes = 0;
  for (const item of growingPlan(plan)?.itemNodes(map) ?? []) {
    const own = output[item];
    bytes += own === null ? 0 : typeof own === 'string' ? Buffer.byteLength(own) : Infinity;
  }
  return bytes > MAX_MAP_OUTPUT_BYTES;
}

/** The new execution's record: running, nobody's nodes at work yet. */
function asFork(
  fresh: ExecutionRecord,
  source: ExecutionRecord,
  from: readonly string[],
  { columns }: ExecutionState,
  kept: readonly number[],
): ExecutionRecord {
  const completed = kept.filter((node) => columns.leaf[node] === LEAF.completed).length;
  // Its journal knows only the definition that it begins with.
  const { migrations: _, ...options } = source.options;
  const forked_from = { execution_id: source.executionId, nodes: [...new Set(from)] };
  return {
    ...fresh,
    status: 'running',
    startedAtMs: fresh.createdAtMs,
    counts: { ...fresh.counts, completed, skipped: kept.length - completed },
    options: { ...options, forked_from },
  };
}

/** The journal's beginning: every kept node as if its last attempt had been its only one, at its own time. */
function history({ plan, columns }: ExecutionState, kept: readonly number[], nowMs: number): Entry[] {
  const entries: Entry[] = [{ node: WORKFLOW, event: { type: 'started' }, atMs: nowMs }];
  for (const node of inOrderOfTime(plan, kept, columns.endedAtMs)) {
    const { leaf, startedAtMs, endedAtMs, output, artifacts, condition, contracts } = columns.row(node);
    const add = (event: NodeEvent, atMs: number): unknown => entries.push({ node, event, atMs });
    for (const [from, verdict] of columns.edges.into(node) ?? [])
      add({ type: 'edgeEvaluated', from, verdict }, startedAtMs || endedAtMs);
    if (leaf === LEAF.skipped) {
      add({ type: 'conditionNotMet', condition: condition ?? '' }, endedAtMs);
      continue;
    }
    add({ type: 'dependenciesMet' }, startedAtMs);
    const [needed, promised] = ['input', 'output'].map((at) => contracts.filter(({ side }) => side === at));
    if (needed.length > 0) add({ type: 'contractsChecked', verdicts: needed }, startedAtMs);
    add({ type: 'attemptStarted' }, startedAtMs);
    if (promised.length > 0) add({ type: 'contractsChecked', verdicts: promised }, endedAtMs);
    const durationMs = endedAtMs - startedAtMs;
    add({ type: 'attemptSucceeded', output: output ?? 'null', artifacts, durationMs }, endedAtMs);
  }
  return entries;
}

/** As they ended, but dependencies first whatever the clock said. @param kept dependencies first */
function inOrderOfTime(plan: Plan, kept: readonly number[], endedAtMs: Float64Array): readonly number[] {
  const atMs = new Map<number, number>();
  for (const node of kept) {
    const before = [...dependenciesOf(plan, node)].map((at) => atMs.get(at) ?? 0);
    atMs.set(node, Math.max(endedAtMs[node], ...before));
  }
  return [...kept].sort((a, b) => atMs.get(a)! - atMs.get(b)!);
}

/** Copies of the outputs that have rows of their own. @throws RECORD_CORRUPT when one is lost */
async function outputs(
  store: ExecutionStore,
  from: string,
  to: string,
  { columns }: ExecutionState,
  kept: readonly number[],
): Promise<KvOp[]> {
  const ops: KvOp[] = [];
  for (const node of kept) {
    const output = columns.output[node];
    if (output === null || typeof output === 'string') continue;
    const text = await store.getOutput(from, node, columns.run[node]);
    if (text === undefined)
      throw new MaestroError('RECORD_CORRUPT', `an output of execution ${from} is lost: it cannot be forked`);
    ops.push(store.putOutput(to, node, 0, text));
  }
  return ops;
}

/** @throws CONTEXT_INVALID */
function overlaid(text: string, given: Record<string, unknown>): string {
  try {
    return JSON.stringify({ ...(JSON.parse(text) as object), ...given });
  } catch (cause) {
    throw new MaestroError('CONTEXT_INVALID', `the context cannot be written as JSON: ${String(cause)}`, {
      cause,
    });
  }
}
