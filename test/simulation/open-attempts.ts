import { stageOf } from '../../src/graph/index.js';
import { LEAF } from '../../src/engine/columns.js';
import type { Job } from '../../src/pool/index.js';
import type { NodeSpec } from '../../src/spec/index.js';
import { QUEUES } from './features.js';
import type { Shadow } from './shadow.js';
import { asksOf, mayBegin } from './triggers.js';
import { demand } from './violation.js';

interface OpenAttempt {
  readonly shadow: Shadow;
  readonly nodeId: string;
  readonly spec: NodeSpec;
  /** What limits it together with others: its group, or for an item its map. */
  readonly container: NodeSpec | undefined;
  readonly run: number;
}

/** The attempts that a pool has, by process: what it was given and has not settled. */
export class OpenAttempts {
  private readonly open = new Map<string, Map<number, OpenAttempt>>();

  constructor(
    /** One node of an execution at a time. */
    private readonly inOrder: boolean,
  ) {}

  /**
   * An attempt is sent: none of its node may be open, nor one of its group that a restart has made void, and there is
   * room for it in its group, its map and its queue.
   */
  sent(process: string, { id, call }: Job, shadow: Shadow, isCertain: boolean): void {
    const attempts = this.open.get(process) ?? new Map<number, OpenAttempt>();
    this.open.set(process, attempts);
    const run = call.run;
    const { nodes } = shadow.planned.workflow.spec;
    const spec = nodes.find((node) => node.id === stageIdOf(shadow, call.nodeId))!;
    const group = nodes.find(({ members }) => members?.includes(spec.id));
    const container = group ?? (spec.map === undefined ? undefined : spec);
    const name = `${shadow.planned.id}: ${call.nodeId}`;
    const of = [...attempts.values()].filter((other) => other.shadow === shadow);
    const family = of.filter((other) => container !== undefined && other.container === container);
    for (const other of of)
      demand(
        other.nodeId !== call.nodeId,
        'ATTEMPTS_OVERLAP',
        `${name} was sent while an attempt of it was open`,
      );
    const { columns } = shadow.state;
    if (isCertain)
      for (const other of family) {
        const what = `${name} was sent while ${other.nodeId} of its group still stopped`;
        const node = shadow.plan.indexOf.get(other.nodeId)!;
        demand(container?.map !== undefined || other.run >= columns.run[node], 'GROUP_STOPS_FIRST', what);
      }
    if (spec.compensates !== undefined) {
      const others = of.map(({ nodeId }) => nodeId).join();
      demand(others === '', 'COMPENSATION', `${name} was sent while ${others} still ran`);
    }
    const limit = container?.max_concurrency ?? Infinity;
    demand(family.length < limit, 'GROUP_LIMIT', `${name} is one too many of its group`);
    const { max_concurrency = Infinity } = shadow.planned.workflow.spec.workflow;
    const most = this.inOrder ? 1 : max_concurrency;
    const beside = of.map(({ nodeId }) => nodeId).join();
    demand(of.length < most, 'CONCURRENCY', `${name} was sent beside ${beside}: ${most} may run at once`);
    checkQueue(name, spec, [...attempts.values()]);
    attempts.set(id, { shadow, nodeId: call.nodeId, spec, container, run });
  }

  settled(process: string, { id }: Job): void {
    this.open.get(process)?.delete(id);
  }
}

/** The id of the node of the definition that a call is about. */
export function stageIdOf({ planned }: Shadow, nodeId: string): string {
  if (planned.workflow.spec.nodes.some(({ id }) => id === nodeId)) return nodeId;
  return nodeId.slice(0, nodeId.lastIndexOf('['));
}

/** The slots of a queue are never taken twice, over all executions of a process. */
function checkQueue(name: string, spec: NodeSpec, others: readonly OpenAttempt[]): void {
  const { queue } = spec;
  if (queue === undefined) return;
  const known = QUEUES[queue as keyof typeof QUEUES] as number | { size: number } | undefined;
  const size = typeof known === 'object' ? known.size : (known ?? 1);
  const slotsOf = ({ slots = 1 }: NodeSpec): number => Math.min(slots, size);
  const beside = others.filter((other) => other.spec.queue === queue);
  const taken = beside.reduce((sum, other) => sum + slotsOf(other.spec), 0);
  const what = `${name} takes ${slotsOf(spec)} of ${size} slots of ${queue} beside ${beside.map(({ nodeId }) => nodeId).join()}`;
  demand(taken + slotsOf(spec) <= size, 'QUEUE_SLOTS', what);
}

/** A dependency that is not as it must be when a node begins; null when there is none. */
export function unmetDependency(shadow: Shadow, node: number): number | null {
  const { leaf } = shadow.state.columns;
  if (shadow.isItem(node)) return unmetOfItem(shadow, node);
  const asks = asksOf(shadow.specOf(node));
  if (asks !== undefined)
    return mayBegin(shadow, node, asks) ? null : (shadow.dependenciesOf(node).at(0) ?? node);
  const isGroup = shadow.plan.groups.has(node);
  const isWrong = (at: number): boolean =>
    shadow.hasCome(at, node) !== true && !(isGroup && leaf[at] === LEAF.skipped);
  const before = shadow.plan.mapOf.has(node) ? shadow.outsideOf(node) : shadow.dependenciesOf(node);
  return before.find(isWrong) ?? null;
}

/** An item goes from stage to stage by itself, once its map may begin. */
function unmetOfItem(shadow: Shadow, node: number): number | null {
  const early = shadow.dependenciesOf(node).find((at) => !shadow.isCompleted(at));
  if (early !== undefined) return early;
  const { plan } = shadow;
  const { gate } = plan.maps[plan.mapOf.get(stageOf(plan, node))!];
  return unmetDependency(shadow, gate);
}
