import type { Random } from '../base/random.js';
import type { ReviewPlan } from '../policy/wait.js';
import { conditionNode } from '../supervisor/conditions.js';
import { answerSchemas, fittingAnswer } from './answer-values.js';
import { keyedRandom, oneOf } from './keyed-random.js';
import type { ValueShape } from './value-shape.js';
import type { NodeCondition, WorkflowModel } from './workflow-model.js';

/** What comes of a node if it completes. */
export interface NodeValue {
  /** As dependents and conditions see it. */
  readonly output: unknown;
  /** Of a review. */
  readonly decision?: 'approve' | 'reject';
  /** What the answer to a wait carries. */
  readonly answer?: unknown;
}

const APPROVED = 0.75;
/** How often values are drawn again for a condition to hold, and in all for one seed. */
const TRIES = 64;
/** Loops that can end do so after so many iterations at most. */
const MOST_ITERATIONS = 5;
const TRIES_OF_SEED = 4_000;
/** So many seeds that aim are enough to have aimed at every node. */
const TURNS = 40;

/**
 * The values of one seed, a function of seed and node alone. Every second seed aims at a node: values are drawn until
 * the conditions on the way to it hold, as far as they can. The others take what comes.
 */
export class SeedValues {
  private readonly values = new Map<number, NodeValue>();
  private readonly approved = new Set<number>();
  private readonly met: NodeCondition[] = [];
  private draws = 0;

  constructor(
    private readonly model: WorkflowModel,
    private readonly seed: number,
    private readonly isUnanswered: (node: number) => boolean,
  ) {
    for (const target of this.targets()) this.aimAt(target);
  }

  of(node: number): NodeValue {
    const members = this.model.plan.groups.get(node);
    if (members !== undefined) return { output: this.groupOutput(members) };
    let value = this.values.get(node);
    if (value === undefined) {
      value = this.draw(node, 0);
      this.values.set(node, value);
    }
    return value;
  }

  /** What an iteration of a node that repeats gives: in time that which ends its loop, if anything was found that does. */
  ofIteration(node: number, iteration: number): unknown {
    const { id, repeat } = this.model.nodes[node];
    const iterations = Math.min(repeat?.max ?? 1, MOST_ITERATIONS);
    const last = 1 + Math.floor(keyedRandom(this.seed, 'loop', id)() * iterations);
    if (iteration >= last) return this.of(node).output;
    return this.stepOutput(node, keyedRandom(this.seed, 'iteration', id, iteration));
  }

  /** Every second seed aims at a node with a condition, in turn; at several when there are many. */
  private targets(): number[] {
    const { conditions } = this.model;
    if (this.seed % 2 === 0 || conditions.length === 0) return [];
    const atOnce = Math.ceil(conditions.length / TURNS);
    const first = ((this.seed - 1) / 2) * atOnce;
    return Array.from({ length: atOnce }, (_, k) => conditions[(first + k) % conditions.length].node);
  }

  /** Draws until the conditions on the way to the target hold, and those that were made to hold before still do. */
  private aimAt(target: number): void {
    const needs = this.model.needsOf(target);
    for (const need of needs) for (const node of need.references) this.approved.add(node);
    const before = new Map(this.values);
    const reached = needs.every((need, k) => this.meet(need, [...this.met, ...needs.slice(0, k)]));
    if (reached) this.met.push(...needs);
    // What is out of reach for a later target must not undo what an earlier one has got.
    else if (this.met.length > 0) for (const [node, value] of before) this.values.set(node, value);
  }

  /** @param before conditions that hold, and are to hold afterwards too */
  private meet(need: NodeCondition, before: readonly NodeCondition[]): boolean {
    const drawn = new Set(need.references);
    const touched = before.filter(({ references }) => references.some((node) => drawn.has(node)));
    for (let left = TRIES; left >= 0; left--) {
      if (this.holds(need) && touched.every((other) => this.holds(other))) return true;
      if (drawn.size === 0 || ++this.draws > TRIES_OF_SEED) return false;
      for (const node of drawn)
        if (!this.model.isGroup(node)) this.values.set(node, this.draw(node, this.draws));
    }
    return false;
  }

  /** @param own what an iteration of the node gives, when this is about the end of its loop */
  private holds(
    { node, condition, references }: NodeCondition,
    own?: { output: unknown; iteration: number },
  ): boolean {
    const { nodes, plan, globalContext } = this.model;
    const outputOf = (index: number): unknown =>
      index === node && own !== undefined ? own.output : this.of(index).output;
    const outputs = new Map(references.map((index) => [plan.ids[index], outputOf(index)]));
    try {
      return condition.evaluate({ outputs, globalContext, node: { ...conditionNode(nodes[node]), ...own } });
    } catch {
      return false;
    }
  }

  private draw(node: number, draw: number): NodeValue {
    const random = keyedRandom(this.seed, 'value', this.model.nodes[node].id, draw);
    const wait = this.model.waitOf(node);
    if (wait === null) return { output: this.lastOutput(node, random) };
    if (wait.kind === 'time') return { output: { waited_until: new Date(0).toISOString() } };
    const fallback = this.isUnanswered(node) ? wait.fallback : null;
    if (fallback === null)
      return wait.kind === 'signal' ? this.payload(node, random) : this.review(node, wait, random);
    return {
      output: 'payload' in fallback ? fallback.payload : reviewOutput(fallback.decision, fallback.response),
    };
  }

  private groupOutput(members: Iterable<number>): Record<string, unknown> {
    return Object.fromEntries(
      [...members].map((member) => [this.model.nodes[member].id, this.of(member).output]),
    );
  }

  /** Of a step; of one that repeats: what ends its loop, as far as such a value is found. */
  private lastOutput(node: number, random: Random): unknown {
    const until = this.model.untils.get(node);
    let output = this.stepOutput(node, random);
    for (let left = TRIES; until !== undefined && left > 0; left--) {
      if (this.holds(until, { output, iteration: 1 })) break;
      output = this.stepOutput(node, random);
    }
    return output;
  }

  private stepOutput(node: number, random: Random): unknown {
    const { outputs } = this.model.outcomeOf(node);
    if (outputs !== undefined) return oneOf(random, outputs);
    const { schemaValues } = this.model;
    const shape = this.model.shapeOf(node);
    const schemas = this.model.promisedBy(node);
    // A step keeps what it promises, where a value can be made that does.
    const fitting = schemas.length === 0 ? undefined : fittingAnswer(schemas, shape, random, schemaValues);
    return fitting ?? shape?.sample(random, schemaValues) ?? {};
  }

  private payload(node: number, random: Random): NodeValue {
    const answer = this.answer(node, this.model.shapeOf(node), random);
    return { output: answer, answer };
  }

  private review(node: number, { onReject }: ReviewPlan, random: Random): NodeValue {
    const { decisions } = this.model.outcomeOf(node);
    let decision: 'approve' | 'reject' = random() < APPROVED ? 'approve' : 'reject';
    if (decisions !== undefined) decision = oneOf(random, decisions);
    // Nothing comes after a rejection that fails its node: a seed that aims further needs an approval.
    else if (onReject === 'fail' && this.approved.has(node)) decision = 'approve';
    const answer = this.answer(node, this.model.shapeOf(node)?.field('response'), random);
    return { output: reviewOutput(decision, answer), decision, answer };
  }

  private answer(node: number, shape: ValueShape | undefined, random: Random): unknown {
    const { outputs } = this.model.outcomeOf(node);
    if (outputs !== undefined) return oneOf(random, outputs);
    const { nodes, schemaValues } = this.model;
    const schemas = answerSchemas(nodes, nodes[node]);
    if (schemas.length === 0) return shape?.sample(random, schemaValues) ?? null;
    const fitting = fittingAnswer(schemas, shape, random, schemaValues);
    // There is one: it was looked for before the first seed.
    return fitting === undefined ? fittingAnswer(schemas, undefined, keyedRandom(0), schemaValues) : fitting;
  }
}

function reviewOutput(decision: 'approve' | 'reject', response: unknown): Record<string, unknown> {
  const decided = decision === 'approve' ? 'approved' : 'rejected';
  return {
    decision: decided,
    response,
    comment: null,
    reviewer: REVIEWER,
    decided_at: new Date(0).toISOString(),
  };
}

/** Who answers reviews. */
export const REVIEWER = 'simulated';
