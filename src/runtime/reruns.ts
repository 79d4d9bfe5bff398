import { MaestroError } from '../base/errors.js';
import { isWorkflowStatusEnded } from '../base/model.js';
import { LEAF, type NodeColumns } from '../engine/columns.js';
import type { RerunRequest } from '../engine/effects.js';
import { planRerun } from '../engine/rerun.js';
import { indexOfNode, type Plan } from '../graph/index.js';
import type { ExecutionRecord } from '../store/types.js';
import type { Definition } from '../supervisor/definition.js';
import { restoreState } from '../supervisor/restore.js';
import { notFound } from './history.js';
import type { Steering } from './steering.js';
import type { Execution, RerunOptions } from './types.js';

/** How long the process that runs an execution is watched for what it makes of the request. */
const WATCH_MS = 3000;
const LOOK_MS = 50;

type StoredColumns = Pick<NodeColumns, 'leaf' | 'condition' | 'edges' | 'run'>;

/** One node again: found wherever its execution is, and refused before anything is changed. */
export class Reruns {
  private readonly host: Steering['host'];

  constructor(private readonly steering: Steering) {
    this.host = steering.host;
  }

  /** @see Runtime.rerun */
  rerun(executionId: string, nodeId: string, options: RerunOptions = {}): Promise<Execution | undefined> {
    return this.steering.inTurn(executionId, () => this.once(executionId, nodeId, options));
  }

  private async once(
    executionId: string,
    nodeId: string,
    { cascade = true, workflow }: RerunOptions,
  ): Promise<Execution | undefined> {
    this.host.assertOpen();
    await this.host.residents.arrival(executionId);
    const active = this.host.supervisor.active.get(executionId);
    if (active !== undefined && !active.isEnded) {
      const { definition } = active;
      const { columns } = active.engine.state;
      const { run } = columns;
      const event = requestFor(definition.plan, nodeId, cascade);
      const first = assertRerunnable(executionId, definition, columns, event);
      const before = run[first];
      await this.steering.apply(executionId, event, []);
      if (run[first] === before) throw moved(executionId);
      return this.host.results.handle(executionId, active.record.workflowId);
    }
    const record = await this.steering.record(executionId);
    const holder = await this.host.ownership.holder(record.ownerId);
    const { definition, columns } = await this.stored(executionId, holder === undefined);
    const { run } = columns;
    const event = requestFor(definition.plan, nodeId, cascade);
    const first = assertRerunnable(executionId, definition, columns, event);
    if (holder !== undefined) return this.ask(executionId, event, { node: first, run: run[first] });
    if (!this.host.residents.isHere(executionId))
      return this.steering.continueStored(record, [event], workflow);
    if (!(await this.steering.apply(executionId, event, []))) throw moved(executionId);
    return this.host.results.handle(executionId, record.workflowId);
  }

  /** Its nodes as the store has them. @param idle nobody runs it: what seems to run waits to start again */
  private async stored(
    executionId: string,
    idle: boolean,
  ): Promise<{ definition: Definition; columns: StoredColumns }> {
    const stored = await this.host.store.load(executionId);
    if (stored === undefined) throw notFound(executionId);
    const definition = this.host.definitions.plain(stored.record, stored.spec);
    const { columns, plan } = (await restoreState(this.host.store, stored, definition.plan)).state;
    // Who waits goes on waiting; what executed starts again.
    const leaf = columns.leaf.map((code, node) =>
      idle && code === LEAF.running && !columns.waits.has(node) ? LEAF.ready : code,
    );
    return {
      definition: definition.over(plan),
      columns: { leaf, condition: columns.condition, edges: columns.edges, run: columns.run },
    };
  }

  /**
   * Asks the process that runs it, and watches for a while. Once the execution has ended without having seen the
   * request, that is taken back, and the execution looked at again.
   */
  private async ask(
    executionId: string,
    event: RerunRequest,
    before: { node: number; run: number },
  ): Promise<undefined> {
    const { store, settings } = this.host;
    const { clock } = settings;
    const { node, cascade } = event;
    const untilMs = clock.nowMs() + WATCH_MS;
    const request = await this.steering.leaveRequest(executionId, { kind: 'rerun', node, cascade });
    while ((await store.requests()).some((open) => open.requestId === request.requestId)) {
      if (clock.nowMs() >= untilMs) return undefined;
      if (await this.isLeft(executionId)) await store.commit([store.deleteRequest(request)]);
      else await new Promise<void>((done) => clock.setTimer(LOOK_MS, done));
    }
    if ((await this.stored(executionId, false)).columns.run[before.node] === before.run)
      throw moved(executionId);
    return undefined;
  }

  private async isLeft(executionId: string): Promise<boolean> {
    const record: ExecutionRecord | undefined = await this.host.store.getRecord(executionId);
    if (record === undefined || isWorkflowStatusEnded(record.status)) return true;
    return (await this.host.ownership.holder(record.ownerId)) === undefined;
  }
}

/** @throws NODE_NOT_FOUND */
function requestFor(plan: Plan, nodeId: string, cascade: boolean): RerunRequest {
  return { type: 'rerunRequested', node: indexOfNode(plan, nodeId), cascade };
}

/** It came to rest, or began something, between the look and the request: to be tried again. */
function moved(executionId: string): MaestroError {
  return new MaestroError('STORE_CONFLICT', `execution ${executionId} changed at this moment`);
}

/** @returns a node that starts over for certain. @throws EXECUTION_STATE */
function assertRerunnable(
  executionId: string,
  definition: Definition,
  columns: StoredColumns,
  { node, cascade }: RerunRequest,
): number {
  const { plan } = definition;
  const planned = planRerun(definition, columns, node, cascade);
  if (!('why' in planned)) return planned.again[0];
  const asked = JSON.stringify(plan.ids[node]);
  const other = planned.node < 0 ? 'a dependency' : JSON.stringify(plan.ids[planned.node]);
  const relation = plan.groupOf.get(planned.node) === node ? 'is a member of it' : 'depends on it';
  const refusals = {
    running:
      planned.node === node
        ? [`node ${asked} is running`, 'Ask again when it has ended, or cancel the execution first.']
        : [
            `node ${asked} cannot run again while ${other}, which ${relation}, is running`,
            'Ask again when that has ended, or cancel the execution first.',
          ],
    'not started': [
      `node ${asked} has not run: there is nothing to repeat`,
      `See \`maestro show ${executionId}\`.`,
    ],
    blocked: [
      `node ${asked} cannot run: ${other}, which it depends on, has no result`,
      'Run that one again: what it blocks comes back by itself.',
    ],
  };
  const [message, next] = refusals[planned.why];
  throw new MaestroError('EXECUTION_STATE', `${message} (execution ${executionId})`, { next });
}
