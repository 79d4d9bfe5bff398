import type { Durability, ExecutionMode, FailureMode } from '../../src/base/model.js';
import { seededRandom, type Random } from '../../src/base/random.js';
import type { CommitFault } from '../../src/simulation/disk.js';
import { workflowFromSpec, type NodeSpec, type Workflow } from '../../src/spec/index.js';
import { addFeatures, featuresOf, type Draft, type Features } from './features.js';
import { addGroups } from './groups.js';
import { addTriggers } from './triggers.js';

/** What the attempts of a node come to, by attempt; the last one also stands for all later ones. */
export interface Fate {
  readonly outcome: 'ok' | 'fail' | 'hang' | 'late';
  readonly durationMs: number;
}

/** One fault or request, and when it happens: at the n-th commit, or at the n-th step of the timeline. */
export type Fault =
  | { readonly at: 'commit'; readonly n: number; readonly commit: CommitFault }
  | { readonly at: 'step'; readonly n: number; readonly step: StepFault };

export type StepFault =
  | { readonly kind: 'kill' | 'close' | 'misjudge' | 'second' | 'repeat' }
  | RequestFault
  | { readonly kind: 'worker'; readonly pick: number }
  | { readonly kind: 'jump'; readonly ms: number }
  | { readonly kind: 'full'; readonly ms: number };

/** A user asks for something, of the process that is asked most or of another one. */
export type RequestFault = Asked & {
  /** Of the planned executions, or of the forks that there are by then. */
  readonly execution: number;
  readonly other: boolean;
};

export type Asked =
  | { readonly kind: 'pause' | 'resume' | 'retry' }
  | { readonly kind: 'cancel'; readonly compensate: boolean }
  | { readonly kind: 'signal'; readonly name: string; readonly hasId: boolean }
  | { readonly kind: 'review'; readonly pick: number; readonly approve: boolean }
  | { readonly kind: 'rerun'; readonly pick: number; readonly cascade: boolean }
  | { readonly kind: 'fork'; readonly picks: readonly number[] }
  | { readonly kind: 'delete'; readonly force: boolean }
  | { readonly kind: 'collect'; readonly policy: { readonly olderThanMs: number; readonly keep?: number } };

export interface Scenario {
  readonly seed: number;
  readonly executions: readonly Planned[];
  readonly mode: ExecutionMode;
  readonly durability: Durability;
  readonly slots: number;
  readonly maxActive: number;
  readonly lossRate: number;
  readonly latencyMs: number;
  /** Ended executions are deleted in the background. */
  readonly retention: { readonly olderThanMs: number; readonly everyMs: number } | undefined;
  readonly faults: readonly Fault[];
}

/** An execution to be started. */
export interface Planned {
  readonly id: string;
  readonly atMs: number;
  readonly workflow: Workflow;
  readonly failureMode: FailureMode;
  /** By node of the definition. */
  readonly fates: ReadonlyMap<string, readonly Fate[]>;
  /** What subworkflow nodes run, by their ids; `id` and `atMs` of these mean nothing. */
  readonly children: ReadonlyMap<string, Planned>;
}

const LARGE = 70_000;
/** When simulated worlds begin. */
const TIME_ZERO_MS = Date.UTC(2030, 0, 1);

/** What an attempt returns: it names the attempt, so that the results of two cannot be mistaken. */
export function outputOf(nodeId: string, run: number, attempt: number): string {
  const text = nodeId.endsWith('7') ? 'x'.repeat(LARGE) : '';
  return JSON.stringify({ id: nodeId, run, attempt, text });
}

export const SIGNAL_NAMES = ['a', 'b'] as const;

/** A later run goes on where the fates of an earlier one began: what failed may succeed when it starts over. */
export function fateOf(planned: Planned, nodeId: string, attempt: number, run = 0): Fate {
  const own = planned.fates.get(nodeId);
  const [, stage, item] = own === undefined ? /^(.*)\[(\d+)\]$/.exec(nodeId)! : [];
  const fates = own ?? planned.fates.get(stage)!;
  const at = Math.min(attempt + run, fates.length) - 1;
  // Every other item meets its fates from the end on.
  return Number(item ?? 0) % 2 === 0 ? fates[at] : fates[fates.length - 1 - at];
}

/** Everything a seed stands for. */
export function scenarioOf(seed: number): Scenario {
  const random = seededRandom(seed * 2 + 1);
  const count = 1 + below(random, 3);
  const failureRate = oneOf(random, [0, 0.1, 0.4]);
  const waitRate = oneOf(random, [0, 0, 0.2, 0.5]);
  const grouping = seededRandom(seed * 2);
  const groups = grouping() < 0.3 ? grouping : null;
  const triggering = seededRandom(seed + 0x4000_0000);
  const triggers = triggering() < 0.25 ? triggering : null;
  const style = { failureRate, waitRate, groups, triggers, features: featuresOf(seed) };
  const executions = Array.from({ length: count }, (_, k) => planned(random, String(k), style));
  return {
    seed,
    executions,
    mode: oneOf(random, ['dag_parallel', 'dag_parallel', 'dag_linear', 'linear']),
    durability: oneOf(random, ['sync', 'sync', 'sync', 'async', 'exit']),
    slots: oneOf(random, [1, 3, 8]),
    maxActive: oneOf(random, [1, 100]),
    lossRate: oneOf(random, [0, 0, 0.1]),
    latencyMs: oneOf(random, [0, 2, 20]),
    retention: random() < 0.1 ? { olderThanMs: oneOf(random, [0, 200]), everyMs: 300 } : undefined,
    faults: [
      ...Array.from({ length: below(random, 8) }, () => faultOf(random)),
      ...Array.from({ length: oneOf(random, [0, 1, 3, 6]) }, () => requestOf(random, count)),
    ].sort((a, b) => a.n - b.n),
  };
}

/** What the workflows of a seed have in common. */
interface Style {
  readonly failureRate: number;
  readonly waitRate: number;
  readonly groups: Random | null;
  readonly triggers: Random | null;
  readonly features: Features | null;
}

const MOST_NODES = 14;

function planned(random: Random, name: string, style: Style, most = MOST_NODES): Planned {
  const { failureRate, waitRate, groups, triggers, features } = style;
  const size = 1 + below(random, most);
  const density = oneOf(random, [0.5, 1, 2]);
  const failureMode = oneOf<FailureMode>(random, ['continue', 'fail_fast']);
  const fates = new Map<string, Fate[]>();
  const nodes: NodeSpec[] = [];
  const waiting = new Set<string>();
  const functions = new Map<string, () => null>();
  for (let i = 0; i < size; i++) {
    const id = `n${i}`;
    const dependencies = new Set<string>();
    for (let k = below(random, density + 1.5); k > 0 && i > 0; k--) dependencies.add(`n${below(random, i)}`);
    const node: NodeSpec = { id, name: id, type: 'custom', dependencies: [...dependencies] };
    const waits = random() < waitRate;
    if (waits) {
      waiting.add(id);
      Object.assign(node, waitOf(random));
    } else if (random() < 0.3) functions.set(id, () => null);
    else node.run = 'simulated';
    const condition = conditionOn([...dependencies], random, waiting);
    if (condition !== undefined) node.condition = condition;
    if (!waits)
      node.retry_policy = {
        max_attempts: 1 + below(random, 3),
        retry_delay_seconds: oneOf(random, [0, 0.05, 3]),
        jitter: 'full',
      };
    const hasTimeout = !waits && random() < 0.2;
    if (hasTimeout) node.timeout_seconds = 2;
    if (hasTimeout && random() < 0.3) node.heartbeat_timeout_seconds = 1;
    nodes.push(node);
    fates.set(
      id,
      [1, 2, 3].map(() => ({
        outcome: outcomeOf(random, failureRate, hasTimeout),
        durationMs: Math.floor(random() * random() * 800),
      })),
    );
  }
  if (groups !== null) addGroups(nodes, groups);
  if (triggers !== null) addTriggers(nodes, triggers);
  const header = { id: `w${name}`, name: `w${name}`, on_failure: failureMode };
  const draft = { header, nodes, edges: [], contracts: [], functions, fates, children: new Map() };
  if (features !== null) addFeatures(draft, features, (id) => childOf(name, id, style));
  shuffle(random, nodes);
  const atMs = below(random, 300);
  return { id: `e${name}`, atMs, failureMode, fates, ...assembled(draft) };
}

/** What a subworkflow node runs: small, and seldom with a child of its own. */
function childOf(parent: string, id: string, style: Style): Planned {
  const { random, on } = style.features!;
  const deeper = new Set(on);
  if (parent.includes('-') || random() < 0.7) deeper.delete('children');
  const features = random() < 0.3 ? null : { random, on: deeper };
  const rates = { failureRate: style.failureRate / 2, waitRate: style.waitRate / 2 };
  return planned(random, `${parent}-${id}`, { ...rates, groups: null, triggers: null, features }, 4);
}

function assembled({ header, nodes, edges, contracts, functions, children }: Draft): {
  workflow: Workflow;
  children: Draft['children'];
} {
  const workflows = new Map([...children].map(([id, { workflow }]) => [id, workflow]));
  const inner = [...workflows.values()].map(({ definitionHash, spec }) => [definitionHash, spec] as const);
  const spec = {
    workflow: header,
    nodes,
    ...(edges.length > 0 && { edges }),
    ...(contracts.length > 0 && { contracts }),
    ...(inner.length > 0 && { subworkflows: Object.fromEntries(inner) }),
  };
  return { workflow: workflowFromSpec(spec, { functions, subworkflows: workflows }), children };
}

/** A node that waits. Its fate says what reviewers decide. */
function waitOf(random: Random): Partial<NodeSpec> {
  const deadline = random() < 0.3 ? { deadline_seconds: oneOf(random, [0.1, 2]) } : {};
  switch (oneOf(random, ['signal', 'signal', 'review', 'review', 'sleep', 'until'])) {
    case 'signal':
      return {
        wait_for: {
          signal: oneOf(random, SIGNAL_NAMES),
          ...deadline,
          ...('deadline_seconds' in deadline && random() < 0.5 && { default: 'nobody' }),
        },
      };
    case 'review':
      return {
        type: 'human_review',
        review: {
          ...deadline,
          on_reject: oneOf(random, ['fail', 'complete']),
          ...('deadline_seconds' in deadline && random() < 0.5 && { default: { decision: 'approve' } }),
        },
      };
    case 'sleep':
      return { sleep: { seconds: oneOf(random, [0, 0.05, 2]) } };
    default:
      return { wait_until: { time: new Date(TIME_ZERO_MS + below(random, 3_000) - 500).toISOString() } };
  }
}

function outcomeOf(random: Random, failureRate: number, hasTimeout: boolean): Fate['outcome'] {
  if (random() < failureRate) return 'fail';
  if (!hasTimeout || random() < 0.7) return 'ok';
  return random() < 0.5 ? 'hang' : 'late';
}

/** Mostly none; true, false, or about the output of a dependency, which is an error when that was skipped. */
function conditionOn(
  dependencies: readonly string[],
  random: Random,
  waiting: ReadonlySet<string>,
): string | undefined {
  if (random() < 0.85) return undefined;
  const choice = random();
  if (dependencies.length === 0 || choice < 0.5 || waiting.has(dependencies[0])) return String(choice < 0.3);
  return `outputs['${dependencies[0]}'].id == '${dependencies[0]}'`;
}

function faultOf(random: Random): Fault {
  const n = Math.floor(random() * random() * 120);
  if (random() < 0.45) return { at: 'commit', n: Math.floor(n / 3), commit: commitFaultOf(random) };
  return { at: 'step', n, step: stepFaultOf(random) };
}

function commitFaultOf(random: Random): CommitFault {
  const applied = random() < 0.5;
  const kind = oneOf(random, ['crash', 'crash', 'crash', 'fails', 'slow', 'torn', 'hangs'] as const);
  if (kind === 'torn') return { kind: 'torn' };
  if (kind === 'slow') return { kind: 'slow', ms: oneOf(random, [500, 5000]) };
  return { kind, applied };
}

function stepFaultOf(random: Random): StepFault {
  const kind = oneOf(random, [
    ...(['kill', 'kill', 'kill', 'close', 'misjudge', 'misjudge', 'second', 'second', 'repeat'] as const),
    ...(['worker', 'worker', 'jump', 'jump', 'full'] as const),
  ]);
  switch (kind) {
    case 'worker':
      return { kind, pick: below(random, 100) };
    case 'jump':
      return { kind, ms: oneOf(random, [-60_000, -5_000, 5_000, 60_000]) };
    case 'full':
      return { kind, ms: oneOf(random, [50, 5_000]) };
    default:
      return { kind };
  }
}

/** What users ask for, while all that happens. */
function requestOf(random: Random, executions: number): Fault {
  const kind = oneOf(random, [
    ...(['pause', 'pause', 'resume', 'cancel', 'retry', 'signal', 'review', 'review'] as const),
    ...(['rerun', 'rerun', 'rerun', 'fork', 'fork', 'delete', 'collect'] as const),
  ]);
  const step = {
    ...askedOf(random, kind),
    execution: below(random, executions + 2),
    other: random() < 0.3,
  };
  return { at: 'step', n: 10 + Math.floor(random() * 150), step };
}

function askedOf(random: Random, kind: Asked['kind']): Asked {
  switch (kind) {
    case 'cancel':
      return { kind, compensate: random() < 0.4 };
    case 'signal':
      return { kind, name: oneOf(random, SIGNAL_NAMES), hasId: random() < 0.5 };
    case 'review':
      return { kind, pick: below(random, 100), approve: random() < 0.5 };
    case 'rerun':
      return { kind, pick: below(random, 100), cascade: random() < 0.6 };
    case 'fork':
      return { kind, picks: Array.from({ length: 1 + below(random, 2) }, () => below(random, 100)) };
    case 'delete':
      return { kind, force: random() < 0.2 };
    case 'collect':
      return {
        kind,
        policy: { olderThanMs: oneOf(random, [0, 300]), ...(random() < 0.5 && { keep: below(random, 2) }) },
      };
    default:
      return { kind };
  }
}

export function below(random: Random, n: number): number {
  return Math.floor(random() * n);
}

function oneOf<T>(random: Random, values: readonly T[]): T {
  return values[below(random, values.length)];
}

function shuffle<T>(random: Random, items: T[]): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = below(random, i + 1);
    [items[i], items[j]] = [items[j], items[i]];
  }
}
