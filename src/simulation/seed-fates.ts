import type { ErrorDocument } from '../base/errors.js';
import type { Job } from '../pool/index.js';
import type { FaultKind, FaultPlan } from './fault-plan.js';
import { planFaults } from './fault-plan.js';
import { keyedRandom, logUniform } from './keyed-random.js';
import type { SimulatedAttempt } from './pool.js';
import { SeedValues } from './seed-values.js';
import type { WorkflowModel } from './workflow-model.js';

/** Why an attempt does not succeed, or a wait is not answered: a fault, or what is declared of the node. */
export type Cause = FaultKind | 'declared';

/** What an attempt comes to, and what makes it so; null: nothing did. */
export interface Fate extends SimulatedAttempt {
  readonly cause: Cause | null;
}

/** How a wait is answered; null: nobody does. */
export interface Answer {
  readonly delayMs: number;
  readonly decision: 'approve' | 'reject' | undefined;
  readonly value: unknown;
}

/** Seconds of attempts and answers of which nothing is declared. */
const STEP_SECONDS = [0.1, 60] as const;
const ANSWER_SECONDS = [1, 3600] as const;
/** How much of its time an attempt takes at most when nothing is to go wrong with it. */
const IN_TIME = 0.9;

const FAILED: ErrorDocument = { name: 'Error', code: 'STEP_FAILED', message: 'the attempt was made to fail' };

/** How everything of one execution comes out: a function of the seed alone, not of what happens in it. */
export class SeedFates {
  readonly faults: FaultPlan;
  readonly values: SeedValues;

  constructor(
    private readonly model: WorkflowModel,
    private readonly seed: number,
    kinds: ReadonlySet<FaultKind>,
  ) {
    this.faults = planFaults(model, seed, kinds);
    this.values = new SeedValues(model, seed, (node) => this.silenceOf(node) !== null);
  }

  attemptOf({ call }: Job): Fate {
    const { model, seed } = this;
    const node = model.nodeOf(call.nodeId);
    const { run } = call;
    const random = keyedRandom(seed, 'attempt', call.nodeId, run, call.attempt);
    const { failureRate = 0, error = FAILED } = model.outcomeOf(node);
    const { timeout_seconds: timeout, heartbeat_timeout_seconds: heartbeat } = model.nodes[node];
    const durationMs = Math.round(this.secondsOf(node, random) * 1000);
    const strike = this.faults.strikes.get(node);
    const given =
      call.repeat === null
        ? this.values.of(node).output
        : this.values.ofIteration(node, call.repeat.iteration);
    const output = JSON.stringify(given ?? null);
    const succeeds = { ok: true, output, artifacts: [], durationMs } as const;
    const heartbeatEveryMs = heartbeat === undefined ? undefined : Math.max(1, (heartbeat * 1000) / 2);
    if (strike !== undefined && run === 0 && call.attempt <= strike.attempts) {
      const limit = Math.min(timeout ?? Infinity, heartbeat ?? Infinity);
      if (strike.kind === 'timeout')
        return {
          durationMs: Math.ceil(limit * 1000 * (1.1 + random())),
          outcome: succeeds,
          cause: 'timeout',
        };
      return failure(error, durationMs * random(), 'error');
    }
    if (random() < failureRate) return failure(error, durationMs, 'declared');
    return { durationMs, outcome: succeeds, cause: null, heartbeatEveryMs };
  }

  answerTo(node: number): Answer | null {
    const { model, seed } = this;
    if (this.silenceOf(node) !== null) return null;
    const wait = model.waitOf(node);
    if (wait === null || wait.kind === 'time') return null;
    const random = keyedRandom(seed, 'answer', model.nodes[node].id);
    const { seconds } = model.outcomeOf(node);
    const inTime = (wait.deadlineSeconds ?? Infinity) * IN_TIME;
    const delay =
      seconds === undefined
        ? Math.min(logUniform(random, ...ANSWER_SECONDS), inTime)
        : within(random, seconds);
    const { decision, answer } = this.values.of(node);
    return { delayMs: Math.round(delay * 1000), decision, value: answer };
  }

  /** Why nobody answers this wait; null when somebody does. */
  silenceOf(node: number): Cause | null {
    if (this.faults.strikes.get(node)?.kind === 'timeout') return 'timeout';
    const { unansweredRate = 0 } = this.model.outcomeOf(node);
    return keyedRandom(this.seed, 'silence', this.model.nodes[node].id)() < unansweredRate
      ? 'declared'
      : null;
  }

  private secondsOf(node: number, random: () => number): number {
    const { seconds } = this.model.outcomeOf(node);
    const drawn = random();
    if (seconds !== undefined) return within(() => drawn, seconds);
    const known = builtinSeconds(this.model, node);
    if (known !== undefined) return known;
    const { timeout_seconds: ofAttempt = Infinity, total_timeout_seconds: ofAll = Infinity } =
      this.model.nodes[node];
    const timeout_seconds = Math.min(ofAttempt, ofAll);
    return Math.min(
      logUniform(() => drawn, ...STEP_SECONDS),
      timeout_seconds * IN_TIME,
    );
  }
}

/** How long a step of ours takes: that is known; undefined for all others. */
export function builtinSeconds({ nodes }: Pick<WorkflowModel, 'nodes'>, node: number): number | undefined {
  const { uses, config } = nodes[node];
  if (uses === 'maestro:noop#task') return 0;
  if (uses === 'maestro:sleep#task') return Math.max(0, Number(config?.seconds ?? 0)) || 0;
  if (uses === 'maestro:spin#task') return Math.max(0, Number(config?.microseconds ?? 0) / 1e6) || 0;
  return undefined;
}

function within(random: () => number, [least, most]: readonly [number, number]): number {
  return least + (most - least) * random();
}

function failure(error: ErrorDocument, durationMs: number, cause: Cause): Fate {
  const ms = Math.round(durationMs);
  return { durationMs: ms, outcome: { ok: false, kind: 'error', error, durationMs: ms }, cause };
}
