import { MaestroError, type Problem } from '../base/errors.js';
import { carryOver } from '../engine/carry-over.js';
import type { ExecutionState } from '../engine/execution-state.js';
import { resettle } from '../engine/resettling.js';
import { compareDefinitions, type DefinitionDifference, type Workflow } from '../spec/index.js';
import type { KvOp } from '../store/kv.js';
import type { ExecutionRecord, InboxRequest } from '../store/types.js';
import { checkpointRows } from '../supervisor/checkpoint-rows.js';
import { migrationsOf, type Migration } from '../supervisor/migrations.js';
import { nodeCounts } from '../supervisor/node-counts.js';
import { restoreState } from '../supervisor/restore.js';
import { notFound } from './history.js';
import { nodeVerdicts, refusalsOf } from './migration-rules.js';
import type { MigrateOptions, MigrationDocument } from './migration-types.js';
import type { Steering } from './steering.js';

type NumberOf = (node: number) => number | undefined;

/** An execution that nobody runs, and the definition that it is to go on under. */
interface Candidate {
  readonly record: ExecutionRecord;
  readonly state: ExecutionState;
  readonly nextSequence: number;
  readonly workflow: Workflow;
  readonly difference: DefinitionDifference;
}

/**
 * Lets an execution that nobody runs go on under another definition: one commit makes the change, and recovery needs to
 * know nothing of it, because a checkpoint in terms of the new definition goes with it. What was journaled before stays as
 * it is, in terms of the definition that held then.
 * @see Runtime.migrate
 */
export function migrate(
  steering: Steering,
  executionId: string,
  workflow: Workflow,
  options: MigrateOptions = {},
): Promise<MigrationDocument> {
  return steering.inTurn(executionId, () => migrateOnce(steering, executionId, workflow, options));
}

async function migrateOnce(
  steering: Steering,
  executionId: string,
  workflow: Workflow,
  { dryRun = false }: MigrateOptions,
): Promise<MigrationDocument> {
  const { store, definitions, settings } = steering.host;
  steering.host.assertOpen();
  await steering.host.residents.arrival(executionId);
  const candidate = await find(steering, executionId, workflow);
  const { record, difference } = candidate;
  const nodes = nodeVerdicts(candidate.state, difference);
  const refusals = [...refusalsOf(record, candidate.state, workflow), ...(await whoRuns(steering, record))];
  const allowed = refusals.length === 0 && nodes.every((node) => node.allowed);
  const isOther = record.definitionHash !== workflow.definitionHash || record.baseDir !== workflow.baseDir;
  const migrated = allowed && isOther && !dryRun;
  const { workflowId: workflow_id } = record;
  const document = {
    ...{ execution_id: executionId, workflow_id, migrated, dry_run: dryRun, allowed },
    ...{ refusals, nodes, difference },
  };
  if (!allowed && !dryRun) throw refused(document);
  if (!migrated) return document;
  await commit(steering, candidate);
  // Its functions, if it has any, are known from now on.
  definitions.of(workflow);
  settings.logger.info(
    { execution_id: executionId, from: difference.before, to: difference.after },
    'migrated',
  );
  return document;

  async function find(of: Steering, id: string, to: Workflow): Promise<Candidate> {
    await of.host.supervisor.whenGone(id);
    const stored = await store.load(id);
    if (stored === undefined) throw notFound(id);
    const { plan } = definitions.plain(stored.record, stored.spec);
    const { state, nextSequence } = await restoreState(store, stored, plan);
    const difference = compareDefinitions(stored.spec, to.spec);
    return { record: stored.record, state, nextSequence, workflow: to, difference };
  }
}

/** Whoever runs an execution has its definition in memory. */
async function whoRuns({ host }: Steering, { executionId, ownerId }: ExecutionRecord): Promise<string[]> {
  const next = `pause it first: \`maestro pause ${executionId}\``;
  if (host.residents.isHere(executionId) || ownerId === host.ownership.self.ownerId)
    return [`this process runs it; ${next}`];
  const holder = await host.ownership.holder(ownerId);
  return holder === undefined ? [] : [`process ${holder.pid} runs it; ${next}`];
}

async function commit({ host }: Steering, candidate: Candidate): Promise<void> {
  const { store, definitions, settings } = host;
  const { record, state, nextSequence, workflow, difference } = candidate;
  const nowMs = settings.clock.nowMs();
  const definition = definitions.of(workflow);
  const next = carryOver(state, definition.plan);
  const numberOf: NumberOf = (node) => next.plan.indexOf.get(state.plan.ids[node]);
  const deciding = difference.changed.filter(({ decides }) => decides);
  next.sendWorkflow(
    {
      type: 'migrated',
      from: record.definitionHash,
      to: workflow.definitionHash,
      added: difference.added,
      removed: difference.removed,
      changed: difference.changed.map(({ node_id }) => node_id),
    },
    nowMs,
  );
  const engine = definition.over(next.plan).forEngine(record.mode, record.options.retries !== false);
  resettle(engine, next, new Set(deciding.map(({ node_id }) => next.plan.indexOf.get(node_id)!)), nowMs);
  const journal = { sequence: nextSequence, entries: next.takeEntries() };
  const checkpoint = {
    nextSequence: nextSequence + 1,
    workflow: next.workflowRow,
    chunks: checkpointRows(next.columns),
  };
  const change = { spec: workflow.spec, journal, checkpoint, numberOf };
  const requests = await requestOps(host.store, record.executionId, numberOf);
  await store.changeDefinition(record, migratedRecord(candidate, next, nowMs), change, requests);
}

function migratedRecord(
  { record, workflow }: Candidate,
  { columns, plan }: ExecutionState,
  nowMs: number,
): ExecutionRecord {
  const { definitionHash, baseDir, spec } = workflow;
  const migration: Migration = {
    from: record.definitionHash,
    to: definitionHash,
    at: new Date(nowMs).toISOString(),
  };
  return {
    ...record,
    workflowName: spec.workflow.name,
    definitionHash,
    baseDir,
    nodeCount: plan.fixedCount,
    ownerId: null,
    updatedAtMs: nowMs,
    counts: nodeCounts(columns),
    options: { ...record.options, migrations: [...migrationsOf(record), migration] },
  };
}

/** Requests that wait for whoever runs it next name nodes by their numbers, too. */
async function requestOps(
  store: Steering['host']['store'],
  executionId: string,
  numberOf: NumberOf,
): Promise<KvOp[]> {
  const own = (await store.requests()).filter((request) => request.executionId === executionId);
  return own.flatMap((request) => {
    const before = nodeOf(request);
    if (before === undefined) return [];
    const node = numberOf(before);
    if (node === before) return [];
    // Nobody can have asked for anything of a node that may be removed.
    return node === undefined ? [store.deleteRequest(request)] : [store.putRequest(withNode(request, node))];
  });
}

function nodeOf(request: InboxRequest): number | undefined {
  if (request.kind === 'rerun') return request.node;
  return request.kind === 'answer' && 'node' in request.answer ? request.answer.node : undefined;
}

function withNode(request: InboxRequest, node: number): InboxRequest {
  if (request.kind === 'rerun') return { ...request, node };
  if (request.kind === 'answer' && 'node' in request.answer)
    return { ...request, answer: { ...request.answer, node } };
  return request;
}

/** Every reason at once. */
function refused({ execution_id, refusals, nodes }: MigrationDocument): MaestroError {
  const problem = (message: string, node_id?: string): Problem => ({
    code: 'MIGRATION_REFUSED',
    severity: 'error',
    message,
    ...(node_id !== undefined && { node_id }),
  });
  const problems = [
    ...refusals.map((text) => problem(text)),
    ...nodes.flatMap(({ node_id, change, why }) =>
      why === undefined ? [] : [problem(`node ${JSON.stringify(node_id)} is ${change}: ${why}`, node_id)],
    ),
  ];
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return new MaestroError(
    'MIGRATION_REFUSED',
    `execution ${execution_id} cannot be migrated: ${problems[0].message}${more}`,
    { problems },
  );
}
