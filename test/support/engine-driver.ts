import type { ChildEffect, EngineEvent, MapList } from '../../src/engine/effects.js';
import type { EngineDefinition } from '../../src/engine/definition.js';
import type { Entry } from '../../src/engine/entries.js';
import { ExecutionEngine } from '../../src/engine/execution-engine.js';
import { ExecutionState } from '../../src/engine/execution-state.js';
import { checkInvariants } from '../../src/engine/sanity.js';
import { dependenciesOf, stageOf, type Plan } from '../../src/graph/index.js';
import { breachOf } from '../../src/policy/contracts.js';
import { normalizeRetryPolicy } from '../../src/policy/retry.js';
import type { RepeatPolicy } from '../../src/policy/repeat.js';
import type { WaitPlan } from '../../src/policy/wait.js';

/** What a node does, attempt by attempt; the last outcome repeats. */
export type Outcome = 'ok' | 'fail' | 'lost';
export interface NodeScript {
  outcomes: readonly Outcome[];
  maxAttempts: number;
  /** undefined: unconditional. */
  condition?: boolean | 'error';
  /** Every attempt fails in runs before this one. */
  failsUntilRun?: number;
  /** Waits instead of having outcomes. */
  wait?: WaitPlan;
  /** Repeats until its `endsAt`th iteration, or its `until` cannot be evaluated there. */
  repeat?: RepeatPolicy & { endsAt: number; verdict?: 'error' };
  totalTimeoutSeconds?: number;
}

export interface Script {
  plan: Plan;
  nodes: readonly NodeScript[];
  failureMode: 'fail_fast' | 'continue';
  linear: boolean;
  retries: boolean;
  concurrency: number;
  groups?: EngineDefinition['groups'];
  triggers?: EngineDefinition['triggers'];
  /** What the condition on an edge comes to, by the node it leads to, then by the one it comes from. */
  timeoutSeconds?: number;
  compensations?: EngineDefinition['compensations'];
  compensateOn?: EngineDefinition['compensateOn'];
  edges?: ReadonlyMap<number, ReadonlyMap<number, boolean | 'error'>>;
  contracts?: EngineDefinition['contracts'];
  maps?: EngineDefinition['maps'];
  /** What an item of a map does in a stage. */
  itemScript?: (stage: number, item: number) => NodeScript;
  /** What the list of a map is, given how often the nodes that its gate depends on have run. */
  listOf?: (gate: number, runs: number) => MapList;
}

/** What a node, or an item of a map, does. */
export function scriptOf(script: Script, plan: Plan, node: number): NodeScript {
  const item = plan.itemNumbers[node - plan.fixedCount];
  return item === undefined ? script.nodes[node] : script.itemScript!(stageOf(plan, node), item);
}

export function definitionOf(script: Script, plan: Plan): EngineDefinition {
  return {
    plan,
    failureMode: script.failureMode,
    retryPolicyOf: (node) =>
      script.retries
        ? normalizeRetryPolicy({
            max_attempts: scriptOf(script, plan, node).maxAttempts,
            retry_delay_seconds: 1,
          })
        : null,
    // True to the verdicts below: what was not met is called by the condition's own text.
    conditionText: (node) =>
      plan.mapOf.has(node) || scriptOf(script, plan, node).condition === undefined ? undefined : 'false',
    triggers: script.triggers ?? new Map(),
    compensations: script.compensations ?? new Map(),
    compensateOn: script.compensateOn ?? 'on_failure',
    edgeConditions: new Map(
      [...(script.edges ?? [])].map(([to, edges]) => [
        to,
        new Map([...edges.keys()].map((from) => [from, `edge from ${from}`])),
      ]),
    ),
    totalTimeoutOf: (node) => scriptOf(script, plan, node).totalTimeoutSeconds ?? null,
    hasTotalTimeouts: script.nodes.some(({ totalTimeoutSeconds }) => totalTimeoutSeconds !== undefined),
    timeoutSeconds: script.timeoutSeconds ?? null,
    waitOf: (node) => scriptOf(script, plan, node).wait ?? null,
    hasWaits: script.nodes.some(({ wait }) => wait !== undefined),
    groups: script.groups ?? new Map(),
    maps: script.maps ?? new Map(),
    ranks: null,
    repeats: new Map(
      script.nodes.flatMap(({ repeat }, node) => (repeat === undefined ? [] : [[node, repeat] as const])),
    ),
    contracts: script.contracts ?? null,
    laneOf: () => 0,
    laneCount: 1,
    startOrder: script.linear ? 'topological' : 'ready',
  };
}

interface Pending {
  event: EngineEvent;
  /** Not before. */
  atMs?: number;
}

/**
 * Plays a world for an engine: no shell, no clock of its own. Effects become pending answers; `pick` chooses which
 * one arrives next. Every entry is kept, commit by commit.
 */
export class EngineDriver {
  engine: ExecutionEngine;
  readonly journal: Entry[][] = [];
  pending: Pending[] = [];
  /** Outputs with rows of their own. */
  readonly kept = new Map<number, string>();
  nowMs = 1_000_000;
  /** Nodes in the order in which they started. */
  readonly starts: number[] = [];
  maxRunning = 0;
  /** What was asked of children. */
  readonly steered: ChildEffect[] = [];

  constructor(
    readonly script: Script,
    private readonly pick: () => number,
    state?: ExecutionState,
  ) {
    const own = state ?? new ExecutionState(script.plan);
    this.engine = new ExecutionEngine(definitionOf(script, own.plan), () => 0.5, own);
  }

  apply(event: EngineEvent): void {
    this.engine.apply(event, this.nowMs);
    this.turn();
  }

  /** One turn: start what may start, commit, collect effects. */
  turn(): void {
    const { columns } = this.engine.state;
    while (columns.executing < this.script.concurrency && this.engine.peek(0) >= 0) {
      const node = this.engine.start(0, this.nowMs);
      this.starts.push(node);
    }
    this.maxRunning = Math.max(this.maxRunning, columns.executing);
    const entries = this.engine.state.takeEntries();
    if (entries.length > 0) this.journal.push([...entries]);
    for (const { node, event } of entries)
      if (event.type === 'waitStarted' && event.kind === 'review') this.decide(node);
    for (const effect of this.engine.takeEffects()) this.perform(effect);
    checkInvariants(this.engine);
  }

  /** Somebody decides an open review: nodes of even index are approved. */
  decide(node: number): void {
    const run = this.engine.state.columns.run[node];
    const decision = node % 2 === 0 ? 'approve' : 'reject';
    const event = { type: 'reviewDecided', node, run, decision, response: null, comment: null } as const;
    this.pending.push({ event: { ...event, reviewer: 'r' } });
  }

  private perform(effect: ReturnType<ExecutionEngine['takeEffects']>[number]): void {
    switch (effect.kind) {
      case 'dispatch': {
        const { node, run, attempt } = effect;
        const { outcomes, failsUntilRun = 0 } = this.scriptOf(node);
        const outcome = run < failsUntilRun ? 'fail' : outcomes[Math.min(attempt - 1, outcomes.length - 1)];
        if (outcome === 'ok') this.pending.push({ event: this.succeeded(node, run, attempt) });
        else if (outcome === 'fail') {
          const error = { name: 'Error', message: `scripted failure of ${node}` };
          this.pending.push({ event: { type: 'attemptFailed', node, run, attempt, error, durationMs: 1 } });
        } else if (this.lostOnce.has(node)) this.pending.push({ event: this.succeeded(node, run, attempt) });
        else {
          this.lostOnce.add(node);
          this.pending.push({ event: { type: 'attemptLost', node, run, attempt } });
        }
        return;
      }
      case 'evaluate': {
        const { node, from, question } = effect;
        const condition =
          from === undefined ? this.scriptOf(node).condition : this.script.edges?.get(node)?.get(from);
        const verdict =
          condition === 'error'
            ? {
                met: 'error' as const,
                error: { name: 'MaestroError', code: 'CONDITION_FAILED', message: 'no such key' },
              }
            : condition === true
              ? { met: true as const }
              : { met: false as const, condition: 'false' };
        this.pending.push({
          event: { type: 'conditionEvaluated', node, from, question, verdict },
        });
        return;
      }
      case 'judge': {
        const { node, run, iteration } = effect;
        const { endsAt, verdict: end } = this.script.nodes[node].repeat!;
        const error = { name: 'MaestroError', code: 'CONDITION_FAILED', message: 'no such key' };
        const met = iteration >= endsAt;
        const verdict =
          met && end === 'error' ? { met: end, error } : met ? { met } : { met, condition: 'false' };
        this.pending.push({ event: { type: 'iterationJudged', node, run, verdict } });
        return;
      }
      case 'child': {
        const { node, key } = effect;
        const { outcomes } = this.script.nodes[node];
        const attempt = Number(key.split('.')[1]);
        const error = { name: 'MaestroError', code: 'SUBWORKFLOW_FAILED', message: 'scripted failure' };
        const ok = outcomes[Math.min(attempt - 1, outcomes.length - 1)] !== 'fail';
        const outcome = ok ? { output: JSON.stringify({ node, key }) } : { error };
        this.pending.push({ event: { type: 'childEnded', node, key, outcome } });
        return;
      }
      case 'steerChild':
        this.steered.push(effect);
        return;
      case 'wake':
        this.pending.push({ event: { type: 'woke', node: effect.node }, atMs: effect.atMs });
        return;
      case 'deadline':
        this.pending.push({ event: { type: 'deadlinePassed', node: effect.node }, atMs: effect.atMs });
        return;
      case 'expand': {
        const { node, question } = effect;
        const { plan, columns } = this.engine.state;
        const runs = dependenciesOf(plan, node).reduce((sum, at) => sum + columns.run[at], 0);
        this.pending.push({
          event: { type: 'mapEvaluated', node, question, list: this.script.listOf!(node, runs) },
        });
        return;
      }
      case 'keep':
        this.kept.set(effect.node, effect.text);
        return;
      case 'closed':
      case 'cancel':
        return;
    }
  }

  private scriptOf(node: number): NodeScript {
    return scriptOf(this.script, this.engine.state.plan, node);
  }

  private readonly lostOnce = new Set<number>();

  /** The output is held against the node's contracts, as the supervisor does. */
  private succeeded(node: number, run: number, attempt: number): EngineEvent {
    const output = JSON.stringify({ node, run });
    const contracts = this.script.contracts?.verify(node, output);
    const error = contracts && breachOf(contracts, this.script.plan.ids[node]);
    const report = { node, run, attempt, durationMs: 1, ...(contracts && { contracts }) };
    if (error) return { type: 'attemptFailed', ...report, error };
    return { type: 'attemptSucceeded', ...report, output, artifacts: [] };
  }

  /** Delivers one pending answer. @returns false when there is none */
  step(): boolean {
    if (this.pending.length === 0) return false;
    const [chosen] = this.pending.splice(this.pick() % this.pending.length, 1);
    this.nowMs = Math.max(this.nowMs + 1, chosen.atMs ?? 0);
    this.apply(chosen.event);
    return true;
  }

  /** Plays until nothing is pending. */
  play(limit = 100_000): void {
    for (let steps = 0; this.step(); steps++) {
      if (steps > limit) throw new Error('the engine does not come to rest');
    }
  }
}

/** Replays journal records into a fresh state, as a restart would. */
export function replay(plan: Plan, journal: readonly (readonly Entry[])[]): ExecutionState {
  const state = new ExecutionState(plan);
  for (const entries of journal) for (const entry of entries) state.replay(entry);
  return state;
}
