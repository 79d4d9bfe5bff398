import { seededRandom, type Random } from '../../src/base/random.js';
import type { ContractSpec, EdgeSpec, NodeSpec, WorkflowHeader } from '../../src/spec/index.js';
import { asksOf } from './triggers.js';
import type { Fate, Planned } from './scenario.js';

const FEATURES = [
  'edges',
  'deadlines',
  'contracts',
  'loops',
  'caches',
  'queues',
  'compensation',
  'maps',
  'children',
] as const;
type Feature = (typeof FEATURES)[number];

/** What the workflows of a seed are made with. */
export interface Features {
  readonly random: Random;
  readonly on: ReadonlySet<Feature>;
}

/** A workflow that is being made: nodes come in an order in which each depends on earlier ones only. */
export interface Draft {
  readonly header: WorkflowHeader;
  readonly nodes: NodeSpec[];
  readonly edges: EdgeSpec[];
  readonly contracts: ContractSpec[];
  readonly functions: Map<string, () => null>;
  readonly fates: Map<string, readonly Fate[]>;
  /** What subworkflow nodes run, by their ids. */
  readonly children: Map<string, Planned>;
}

/** Half of all seeds have none; the others any, so that all pairs occur. */
export function featuresOf(seed: number): Features | null {
  const random = seededRandom(seed + 0x2000_0000);
  if (random() < 0.5) return null;
  const on = new Set(FEATURES.filter(() => random() < 0.3));
  on.add(oneOf(random, FEATURES));
  return { random, on };
}

/** The queues that processes are told of; `q3` is one that nobody configured. */
export const QUEUES = { q1: 1, q2: { size: 2, rate: '5/s' } } as const;
const QUEUE_NAMES = ['q1', 'q2', 'q2', 'q3'];

/** Gives a workflow what its seed has. @param child makes what a subworkflow node runs */
export function addFeatures(draft: Draft, { random, on }: Features, child: (id: string) => Planned): void {
  const maker = new Maker(draft, random);
  if (on.has('children')) maker.addChildren(child);
  if (on.has('maps')) maker.addMaps();
  if (on.has('edges')) maker.addEdges();
  if (on.has('loops')) maker.addLoops();
  if (on.has('caches')) maker.addCaches();
  if (on.has('contracts')) maker.addContracts();
  if (on.has('queues')) maker.addQueues();
  if (on.has('deadlines')) maker.addDeadlines();
  if (on.has('compensation')) maker.addCompensations();
}

class Maker {
  /** Members of groups whose members are done for each item. */
  private readonly stages = new Set<string>();

  constructor(
    private readonly draft: Draft,
    private readonly random: Random,
  ) {}

  /** Some steps become executions of their own. */
  addChildren(child: (id: string) => Planned): void {
    for (const node of this.steps()) {
      if (this.draft.children.size >= 2 || !this.chance(0.4)) continue;
      const planned = child(node.id);
      const { definitionHash, spec } = planned.workflow;
      delete node.run;
      delete node.timeout_seconds;
      delete node.heartbeat_timeout_seconds;
      this.draft.functions.delete(node.id);
      this.draft.children.set(node.id, planned);
      const given = this.ownBefore(node);
      Object.assign(node, {
        type: 'subworkflow',
        definition: definitionHash,
        ...(given !== undefined && this.chance(0.5) && { with: { from: `\${outputs['${given}'].attempt}` } }),
        ...(this.chance(0.3) && { output: `outputs['${spec.nodes[0].id}']` }),
      });
      this.forgetConditionsOn(node.id);
    }
  }

  /** Some steps are done for each item of a list, and new groups of two. */
  addMaps(): void {
    for (const node of this.steps()) {
      if (this.isMember(node.id) || !this.chance(0.2)) continue;
      Object.assign(node, this.mapOver(node));
      this.forgetConditionsOn(node.id);
      // A member is asked about each item, and so is this.
      if (this.chance(0.3)) node.condition = oneOf(this.random, ['index != 1', 'item < 3', 'item.none']);
    }
    const { nodes } = this.draft;
    if (!this.chance(0.6)) return;
    const at = Math.floor(this.random() * (nodes.length + 1));
    const before = nodes.slice(0, at).filter(({ id }) => !this.stages.has(id));
    const dependencies = before.length > 0 ? [oneOf(this.random, before).id] : [];
    const members = ['m1', 'm2'].map((id, k): NodeSpec => {
      this.stages.add(id);
      this.drawFates(id);
      return {
        ...{ id, name: id, type: 'custom', run: 'simulated' },
        dependencies: k === 1 && this.chance(0.8) ? ['m1'] : [],
        retry_policy: { max_attempts: 1 + Math.floor(this.random() * 2), retry_delay_seconds: 0.05 },
      };
    });
    const reads = members[1].dependencies!.length > 0 ? ["outputs['m1'].attempt == 1"] : [];
    if (this.chance(0.4))
      members[1].condition = oneOf(this.random, ['index != 0', 'item != 2', 'false', ...reads]);
    const group: NodeSpec = {
      id: 'm',
      name: 'm',
      type: 'parallel_group',
      dependencies,
      members: ['m1', 'm2'],
    };
    for (const later of nodes.slice(at))
      if (later.members === undefined && !this.stages.has(later.id) && later.depends === undefined)
        if (this.chance(0.3)) later.dependencies = [...(later.dependencies ?? []), 'm'];
    nodes.splice(at, 0, ...members, group);
    Object.assign(group, this.mapOver(group));
  }

  private mapOver(node: NodeSpec): Partial<NodeSpec> {
    const from = this.ownBefore(node);
    const grows = `[1, 2, 3, 4].filter(n, n <= outputs['${from}'].attempt + outputs['${from}'].run)`;
    const literals = ['[1, 2, 3]', '[1, 2]', '[]', '[1, 2, 3, 4, 5]'];
    const reading = [grows, grows, grows, `outputs['${from}'].items`];
    const map = oneOf(this.random, from === undefined ? literals : [...literals, ...reading]);
    const tolerance = oneOf(this.random, [
      {},
      { max_failed: 1 },
      { max_failed_percent: 50 },
      { max_failed: 9 },
    ]);
    return { map, ...tolerance, ...(this.chance(0.3) && { max_concurrency: oneOf(this.random, [1, 2]) }) };
  }

  addEdges(): void {
    for (const node of this.draft.nodes) {
      if (this.isMapped(node) && node.type === 'parallel_group') continue;
      for (const from of node.dependencies ?? []) {
        if (this.stages.has(node.id) || !this.chance(0.35)) continue;
        const own = this.givesOwn(from) && !this.startsEarly(node);
        const reading = [`outputs['${from}'].attempt == 1`, `outputs['${from}'].run == 0`];
        const conditions = ['true', 'false', ...(own ? [...reading, ...reading] : [])];
        if (this.chance(0.1)) conditions.push(`outputs['${from}'].nothing.there`);
        this.draft.edges.push({ from, to: node.id, condition: oneOf(this.random, conditions) });
      }
    }
  }

  addLoops(): void {
    for (const node of [...this.steps(), ...this.childNodes()]) {
      if (!this.chance(0.35)) continue;
      const untils = ['node.iteration >= 2', 'node.iteration >= 3', 'true', 'false'];
      const reading = ['node.output.attempt >= 2', 'node.output.run >= 2', 'node.output.nothing.there'];
      node.repeat = {
        until: oneOf(this.random, node.type === 'subworkflow' ? untils : [...untils, ...reading]),
        max: 1 + Math.floor(this.random() * 4),
        delay_seconds: oneOf(this.random, [0, 0, 0.05, 1]),
        on_exhausted: oneOf(this.random, ['fail', 'complete']),
      };
    }
  }

  addCaches(): void {
    for (const node of this.steps()) {
      if (node.repeat !== undefined || !this.chance(0.5)) continue;
      const key = oneOf(this.random, ["'k1'", "'k2'", '[1, 2]', undefined]);
      node.cache = { ttl_seconds: oneOf(this.random, [0.5, 60]), ...(key !== undefined && { key }) };
      this.forgetConditionsOn(node.id);
    }
  }

  addContracts(): void {
    const { contracts, nodes } = this.draft;
    const least = (key: string, minimum: number): ContractSpec['schema'] => ({
      properties: { [key]: { minimum } },
    });
    contracts.push(
      { id: 'any', schema: {} },
      { id: 'second', schema: least('attempt', 2) },
      { id: 'again', schema: least('run', 1), severity: 'warning' },
      { id: 'rerun', schema: least('run', 1) },
    );
    const promised = new Map<string, string[]>();
    for (const node of nodes) {
      if (node.type === 'parallel_group' || this.isMapped(node) || this.stages.has(node.id)) continue;
      if (!this.chance(0.35)) continue;
      const id = oneOf(this.random, ['any', 'second', 'again', 'rerun']);
      node.output_contracts = [id];
      promised.set(id, [...(promised.get(id) ?? []), node.id]);
    }
    for (const node of nodes) {
      if (node.type === 'parallel_group' || this.isMapped(node) || this.stages.has(node.id)) continue;
      if (this.startsEarly(node) || !this.chance(0.5)) continue;
      const before = this.before(node);
      const known = [...promised].filter(([, by]) => by.every((id) => before.has(id)));
      if (known.length > 0) node.input_contracts = [oneOf(this.random, known)[0]];
    }
  }

  addQueues(): void {
    const { header } = this.draft;
    if (this.chance(0.3)) header.max_concurrency = 1 + Math.floor(this.random() * 2);
    header.priority = oneOf(this.random, [0, 0, 5]);
    if (this.chance(0.5)) {
      header.fair_key = 'tenant';
      header.global_context = { tenant: oneOf(this.random, ['a', 'b']) };
    }
    for (const node of this.draft.nodes) {
      if (!this.isStep(node) || !this.chance(0.5)) continue;
      node.queue = oneOf(this.random, QUEUE_NAMES);
      if (this.chance(0.5)) node.slots = oneOf(this.random, [1, 2, 5]);
      if (this.chance(0.3)) node.priority = oneOf(this.random, [-1, 1, 10]);
    }
  }

  addDeadlines(): void {
    if (this.chance(0.4)) this.draft.header.timeout_seconds = oneOf(this.random, [0.5, 3, 30]);
    for (const node of this.draft.nodes)
      if (node.type !== 'parallel_group' && this.chance(0.35))
        node.total_timeout_seconds = oneOf(this.random, [0.3, 1, 5]);
  }

  addCompensations(): void {
    const { nodes } = this.draft;
    const compensations: NodeSpec[] = [];
    for (const node of nodes) {
      if (node.type === 'parallel_group' || this.isMapped(node) || this.stages.has(node.id)) continue;
      if (!this.chance(0.5)) continue;
      const step = {
        run: 'simulated',
        ...(this.chance(0.5) && { retry_policy: { max_attempts: 2, retry_delay_seconds: 0.05 } }),
        ...(this.chance(0.2) && { total_timeout_seconds: 0.3 }),
      };
      const id = `compensate:${node.id}`;
      // A node of its own can be in a queue.
      const queue = this.chance(0.3) ? oneOf(this.random, QUEUE_NAMES) : undefined;
      if (queue === undefined) node.compensate = step;
      compensations.push({ ...step, id, name: id, type: 'custom', compensates: node.id, queue });
      this.drawFates(id);
    }
    nodes.push(...compensations.filter(({ queue }) => queue !== undefined));
    if (compensations.length > 0)
      this.draft.header.compensate = oneOf(this.random, ['on_failure', 'on_cancel', 'always', 'always']);
  }

  /** Nodes that execute something once. */
  private steps(): NodeSpec[] {
    return this.draft.nodes.filter(
      (node) => this.isStep(node) && !this.isMapped(node) && !this.stages.has(node.id),
    );
  }

  private childNodes(): NodeSpec[] {
    return this.draft.nodes.filter(({ type }) => type === 'subworkflow');
  }

  private isStep({ id, run }: NodeSpec): boolean {
    return run !== undefined || this.draft.functions.has(id);
  }

  private isMapped({ map }: NodeSpec): boolean {
    return map !== undefined;
  }

  private isMember(id: string): boolean {
    return this.draft.nodes.some(({ members }) => members?.includes(id) === true);
  }

  /** Whether a node's output names its attempt and run. */
  private givesOwn(id: string): boolean {
    return this.steps().some((node) => node.id === id && node.cache === undefined);
  }

  /** A dependency of which that holds, and which is there when this node starts. */
  private ownBefore(node: NodeSpec): string | undefined {
    if (asksOf(node) !== undefined) return undefined;
    return node.dependencies?.find((id) => this.givesOwn(id));
  }

  /** What is there when such a node runs depends on time. */
  private startsEarly(node: NodeSpec): boolean {
    return ['always', 'one_success', 'one_failed', 'one_done'].includes(node.trigger_rule ?? '');
  }

  /** All that a node comes after. */
  private before(node: NodeSpec): Set<string> {
    const byId = new Map(this.draft.nodes.map((each) => [each.id, each]));
    const groupOf = (id: string): NodeSpec | undefined =>
      this.draft.nodes.find(({ members }) => members?.includes(id));
    const found = new Set<string>();
    const work = [node.id];
    for (let id = work.pop(); id !== undefined; id = work.pop()) {
      const { dependencies = [], members = [] } = byId.get(id)!;
      for (const each of [...dependencies, ...members, ...(groupOf(id)?.dependencies ?? [])])
        if (!found.has(each)) {
          found.add(each);
          work.push(each);
        }
    }
    return found;
  }

  /** What is said about the output of a node that gives another one now. */
  private forgetConditionsOn(id: string): void {
    for (const node of this.draft.nodes)
      if (node.condition?.includes(`outputs['${id}']`) === true) delete node.condition;
  }

  /** Those of another node; but what has no timeout does not hang. */
  private drawFates(id: string): void {
    const drawn = oneOf(this.random, [...this.draft.fates.values()]);
    const fates = drawn.map(({ outcome, durationMs }) => ({
      outcome: outcome === 'fail' ? outcome : ('ok' as const),
      durationMs,
    }));
    this.draft.fates.set(id, fates);
  }

  private chance(share: number): boolean {
    return this.random() < share;
  }
}

function oneOf<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)];
}
