import { ancestors, withMembers, type Plan } from '../graph/index.js';
import { compileCondition, type CompiledCondition } from '../policy/condition.js';
import type { Contracts } from '../policy/contracts.js';
import { conditionReads, EACH, type Read } from '../policy/condition-reads.js';
import { compileList } from '../policy/map-list.js';
import { normalizeRetryPolicy } from '../policy/retry.js';
import type { RetryPolicy } from '../base/model.js';
import {
  contractsOf,
  edgeConditionsOf,
  planOf,
  repeatPolicyOf,
  type NodeSpec,
  type Workflow,
} from '../spec/index.js';
import type { Outcome } from './outcomes.js';
import { simulatedWaitOf } from './opaque.js';
import { ValueShape, type SchemaValues } from './value-shape.js';

/** A node's condition, or one on an edge to it, and whose outputs it reads. */
export interface NodeCondition {
  readonly node: number;
  readonly condition: CompiledCondition;
  readonly references: readonly number[];
}

interface ModelOptions {
  readonly workflow: Workflow;
  readonly outcomes: ReadonlyMap<string, Outcome>;
  readonly context: Readonly<Record<string, unknown>>;
  readonly retries: boolean;
  readonly schemaValues: SchemaValues;
}

/** What is known of a workflow before any seed is played. */
export class WorkflowModel {
  readonly workflow: Workflow;
  readonly plan: Plan;
  readonly schemaValues: SchemaValues;
  /** As nodes see it. */
  readonly globalContext: Readonly<Record<string, unknown>>;
  /** In topological order; those on the edges to a node before its own. */
  readonly conditions: readonly NodeCondition[];
  /** What ends the loops of nodes that repeat. */
  readonly untils: ReadonlyMap<number, NodeCondition>;
  private readonly outcomes: ReadonlyMap<string, Outcome>;
  private readonly retries: boolean;
  private readonly contracts: Contracts | null;
  private readonly shapes = new Map<number, ValueShape>();
  private readonly needs = new Map<number, readonly NodeCondition[]>();

  constructor({ workflow, outcomes, context, retries, schemaValues }: ModelOptions) {
    this.workflow = workflow;
    this.outcomes = outcomes;
    this.retries = retries;
    this.contracts = contractsOf(workflow.spec);
    this.schemaValues = schemaValues;
    this.plan = planOf(workflow.spec);
    this.globalContext = { ...workflow.spec.workflow.global_context, ...context };
    const edges = edgeConditionsOf(workflow.spec, this.plan);
    for (const [index, { map }] of this.nodes.entries()) if (map !== undefined) this.takeList(index, map);
    this.conditions = [...this.plan.order].flatMap((node) => {
      if (this.plan.mapOf.has(node)) this.takeItemCondition(node);
      const own = this.plan.mapOf.has(node) ? undefined : this.nodes[node].condition;
      const sources = [...(edges.get(node)?.values() ?? []), own];
      return sources.flatMap((source) => (source === undefined ? [] : this.conditionOf(node, source)));
    });
    this.untils = new Map(
      [...this.plan.order].flatMap((node) => {
        const until = repeatPolicyOf(this.nodes[node])?.until;
        return until === undefined ? [] : [[node, this.conditionOf(node, until)] as const];
      }),
    );
  }

  get nodes(): readonly NodeSpec[] {
    return this.workflow.spec.nodes;
  }

  /** The node of an id; of an item of a map, what it is an instance of. */
  nodeOf(nodeId: string): number {
    return this.plan.indexOf.get(nodeId) ?? this.plan.indexOf.get(nodeId.slice(0, nodeId.lastIndexOf('[')))!;
  }

  outcomeOf(node: number): Outcome {
    return this.outcomes.get(this.nodes[node].id) ?? {};
  }

  /** It executes nothing: its output is that of its members. */
  isGroup(node: number): boolean {
    return this.plan.groups.has(node);
  }

  waitOf(node: number): ReturnType<typeof simulatedWaitOf> {
    return simulatedWaitOf(this.nodes[node]);
  }

  policyOf(node: number): RetryPolicy {
    return normalizeRetryPolicy(this.retries ? this.nodes[node].retry_policy : { max_attempts: 1 });
  }

  /** Schemas that a node's output must fit. */
  promisedBy(node: number): readonly object[] {
    return this.contracts?.promisedBy(node).map(({ schema }) => schema) ?? [];
  }

  /** What conditions read of a node's output; undefined when they read nothing of it. */
  shapeOf(node: number): ValueShape | undefined {
    return this.shapes.get(node);
  }

  /** The conditions that must hold for a node to run: its own, and those of all it depends on. In topological order. */
  needsOf(target: number): readonly NodeCondition[] {
    let needs = this.needs.get(target);
    if (needs === undefined) {
      const above = new Set(ancestors(this.plan, target)).add(target);
      needs = this.conditions.filter(({ node }) => above.has(node));
      this.needs.set(target, needs);
    }
    return needs;
  }

  /** What a map goes over has to be a list. */
  private takeList(node: number, text: string): void {
    const { source } = compileList(text);
    for (const read of conditionReads(`(${source}).exists(item, true)`)) this.takeRead(node, read);
  }

  /**
   * The condition of a stage of a map is asked of each item: nothing is aimed at it, but what it reads is made, of its
   * item in the list.
   */
  private takeItemCondition(node: number): void {
    const { condition } = this.nodes[node];
    if (condition === undefined) return;
    const { group, gate } = this.plan.maps[this.plan.mapOf.get(node)!];
    const { source } = compileList(this.nodes[group < 0 ? gate : group].map!);
    for (const read of conditionReads(`(${source}).exists(item, ${condition})`)) this.takeRead(node, read);
  }

  private conditionOf(node: number, source: string): NodeCondition {
    const condition = compileCondition(source);
    for (const read of conditionReads(source, this.plan.ids[node])) this.takeRead(node, read);
    const { references } = condition;
    const indexes =
      references === 'all'
        ? ancestors(this.plan, node)
        : references.flatMap((id) => this.plan.indexOf.get(id) ?? []);
    return { node, condition, references: withMembers(this.plan, indexes) };
  }

  private takeRead(reader: number, read: Read): void {
    const nodes =
      read.node === EACH
        ? ancestors(this.plan, reader)
        : [this.plan.indexOf.get(read.node)].filter((n) => n !== undefined);
    for (const node of nodes) this.takeReadOf(node, read);
  }

  private takeReadOf(node: number, read: Read): void {
    if (this.isGroup(node)) {
      const [part, ...path] = read.path;
      const members = [...this.plan.groups.get(node)!];
      const meant = members.filter((member) => part === EACH || part === this.plan.ids[member]);
      for (const member of meant) this.takeReadOf(member, { ...read, path });
      return;
    }
    const shape = this.shapes.get(node) ?? new ValueShape();
    this.shapes.set(node, shape);
    shape.add(read);
  }
}
