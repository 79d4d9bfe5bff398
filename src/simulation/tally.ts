import type { ErrorDocument } from '../base/errors.js';
import { isWorkflowStatusEnded, type NodeStatus } from '../base/model.js';
import { dependenciesOf } from '../graph/index.js';
import type { ExecutionDocument } from '../runtime/types.js';
import type { FaultKind } from './fault-plan.js';
import {
  countedEnds,
  makespansOf,
  type Makespan,
  type SimulationReport,
  type SurpriseGroup,
  type UnreachableNode,
} from './report.js';
import { longRetries } from './retry-budget.js';
import type { Trial } from './trial.js';
import { judge, type FailureCause, type Surprise } from './verdict.js';
import type { WorkflowModel } from './workflow-model.js';

/** With fewer seeds a node that did not run says little. */
export const SEEDS_TO_JUDGE = 20;
const SEEDS_SHOWN = 5;
const CRITICAL_SHOWN = 5;

type Findings = Pick<
  SimulationReport,
  | 'struck'
  | 'ends'
  | 'expected_failures'
  | 'surprises'
  | 'unreachable'
  | 'long_retries'
  | 'makespan_seconds'
  | 'critical_nodes'
>;

/** Sums up seeds as they are played; nothing of a seed is kept but what the report says. */
export class Tally {
  run = 0;
  private readonly struck: Record<FaultKind, number> = { crash: 0, timeout: 0, error: 0 };
  private readonly ends: SimulationReport['ends'] = { completed: 0, failed: 0, cancelled: 0, open: 0 };
  private readonly expected = new Map<FailureCause, number>();
  private readonly surprises = new Map<string, SurpriseGroup>();
  private readonly nodeEnds: Map<NodeStatus, number>[];
  private readonly ran: Uint8Array;
  private readonly critical: Uint32Array;
  private readonly makespans: Makespan[] = [];
  private readonly spans = new Map<string, { seconds: number; seed: number }>();

  constructor(private readonly model: WorkflowModel) {
    const { nodeCount } = model.plan;
    this.nodeEnds = Array.from({ length: nodeCount }, () => new Map<NodeStatus, number>());
    this.ran = new Uint8Array(nodeCount);
    this.critical = new Uint32Array(nodeCount);
  }

  get surprising(): number {
    return this.surprises.size;
  }

  add(trial: Trial): void {
    this.run++;
    for (const kind of ['crash', 'timeout', 'error'] as const) this.struck[kind] += trial.struck[kind];
    const { surprises, expected } = judge(trial);
    for (const cause of expected) this.expected.set(cause, (this.expected.get(cause) ?? 0) + 1);
    for (const surprise of surprises) this.surprise(surprise, trial.seed);
    const { document } = trial;
    if (document === undefined || !isWorkflowStatusEnded(document.status)) this.ends.open++;
    else this.ends[document.status as 'completed' | 'failed' | 'cancelled']++;
    if (document === undefined) return;
    this.countNodes(document);
    this.measureRetries(trial);
    if (document.status === 'completed') this.measure(document, trial.seed);
  }

  findings(): Findings {
    const { struck, ends, run, model } = this;
    const order = ['crash', 'timeout', 'error', 'declared', 'rejected', 'exhausted'] as const;
    return {
      struck,
      ends,
      expected_failures: Object.fromEntries(
        order.flatMap((cause) => (this.expected.has(cause) ? [[cause, this.expected.get(cause)!]] : [])),
      ),
      surprises: [...this.surprises.values()],
      unreachable: run < SEEDS_TO_JUDGE ? null : this.unreachable(),
      long_retries: longRetries(model, this.spans),
      makespan_seconds: makespansOf(this.makespans),
      critical_nodes: this.criticalNodes(),
    };
  }

  private surprise({ kind, node_id, message }: Surprise, seed: number): void {
    const key = JSON.stringify([kind, node_id]);
    const group = this.surprises.get(key) ?? { kind, node_id, message, executions: 0, seeds: [] };
    group.executions++;
    if (group.seeds.length < SEEDS_SHOWN) group.seeds.push(seed);
    this.surprises.set(key, group);
  }

  private countNodes({ node_states }: ExecutionDocument): void {
    this.model.plan.ids.forEach((id, node) => {
      const { status, attempt_count, metadata } = node_states[id];
      const ends = this.nodeEnds[node];
      ends.set(status, (ends.get(status) ?? 0) + 1);
      // A condition that cannot be evaluated counts as an attempt, but nothing ran.
      const isRefused = status === 'failed' && (metadata.error as ErrorDocument).code === 'CONDITION_FAILED';
      if (attempt_count > 0 && !isRefused) this.ran[node] = 1;
    });
  }

  private unreachable(): UnreachableNode[] {
    const { plan, nodes } = this.model;
    return (
      [...plan.order]
        // What compensates runs when something fails, and not otherwise.
        .filter((node) => this.ran[node] === 0 && nodes[node].compensates === undefined)
        .map((node) => {
          const before = [...dependenciesOf(plan, node)].find((dependency) => this.ran[dependency] === 0);
          return {
            node_id: plan.ids[node],
            after: before === undefined ? null : plan.ids[before],
            condition: nodes[node].condition ?? null,
            ends: countedEnds(this.nodeEnds[node]),
          };
        })
    );
  }

  private measure(document: ExecutionDocument, seed: number): void {
    const seconds = (Date.parse(document.completed_at!) - Date.parse(document.started_at!)) / 1000;
    this.makespans.push({ seconds, seed });
    const { plan } = this.model;
    const endOf = (node: number): number =>
      Date.parse(document.node_states[plan.ids[node]].end_time ?? '') || 0;
    const latest = (nodes: Iterable<number>): number => {
      let last = -1;
      for (const node of nodes) if (last < 0 || endOf(node) > endOf(last)) last = node;
      return last;
    };
    for (let node = latest(plan.order); node >= 0; node = latest(dependenciesOf(plan, node)))
      this.critical[node]++;
  }

  private criticalNodes(): SimulationReport['critical_nodes'] {
    const { ids } = this.model.plan;
    return [...this.critical]
      .map((times, node) => ({ node, times }))
      .filter(({ times }) => times > 0)
      .sort((a, b) => b.times - a.times || a.node - b.node)
      .slice(0, CRITICAL_SHOWN)
      .map(({ node, times }) => ({
        node_id: ids[node],
        share: Math.round((1000 * times) / this.makespans.length) / 1000,
      }));
  }

  /** The longest that each node took from its first start, all its attempts and what is between them included. */
  private measureRetries({ events, seed }: Trial): void {
    const began = new Map<string, number>();
    for (const { event_type, node_id, timestamp, data } of events) {
      // What starts over does not go on with what it did before.
      if (event_type === 'node_recovered' && data.reason === 'rerun') began.delete(node_id!);
      if (event_type === 'node_started' && !began.has(node_id!)) began.set(node_id!, Date.parse(timestamp));
      if (event_type !== 'node_completed' && event_type !== 'node_failed') continue;
      const beganAtMs = began.get(node_id!);
      if (beganAtMs === undefined) continue;
      const seconds = (Date.parse(timestamp) - beganAtMs) / 1000;
      if (seconds > (this.spans.get(node_id!)?.seconds ?? 0)) this.spans.set(node_id!, { seconds, seed });
    }
  }
}
