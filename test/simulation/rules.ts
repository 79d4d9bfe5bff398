import type { NodeOutput } from '../../src/base/model.js';
import { LEAF } from '../../src/engine/columns.js';
import type { WORKFLOW } from '../../src/engine/entries.js';
import { isWorkflowEntry, type Entry } from '../../src/engine/entries.js';
import type { Ending } from '../../machines/events.js';
import { growingPlan } from '../../src/graph/index.js';
import type { Shadow } from './shadow.js';
import { isOver, listOf, readBy, truthOf } from './texts.js';
import { demand } from './violation.js';

/** The promises of loops, edges, maps, compensation and times, held against the journal of one execution. */
export class Rules {
  /** By node: in which order the present results came. */
  private readonly completedAs = new Map<number, number>();
  private turn = 0;
  /** `compensation/run of its node`, as far as that was undone. */
  private readonly undone = new Set<string>();

  constructor(private readonly shadow: Shadow) {}

  /** An entry that is about to be replayed. */
  take(entry: Entry, isKept: boolean): void {
    if (isWorkflowEntry(entry)) return this.takeWorkflow(entry);
    const { node, event, atMs } = entry;
    switch (event.type) {
      case 'edgeEvaluated':
        if (!isKept) this.checkEdge(event.from, node, event.verdict.taken);
        return;
      case 'iterationEnded':
        return this.checkIteration(node, event.output, false);
      case 'timedOut':
        return this.checkTime(node, atMs);
      case 'attemptStarted':
        if (this.spec(node).compensates !== undefined) this.checkUndoing(node);
        return;
      case 'attemptSucceeded':
        this.completedAs.set(node, ++this.turn);
        if (isKept) return;
        if (this.spec(node).repeat !== undefined) this.checkIteration(node, event.output, true);
        if (this.spec(node).compensates !== undefined) this.noteUndone(node);
        if (this.isOfMap(node)) this.checkMapOutput(node, event.output);
        return;
      default:
        return;
    }
  }

  private takeWorkflow({ event, atMs }: Entry & { readonly node: typeof WORKFLOW }): void {
    const { workflowContext, beganAtMs } = this.shadow.state;
    switch (event.type) {
      case 'mapExpanded':
        return this.checkList(event.node, event.items);
      case 'compensationStarted':
        return this.checkBegun(event.ending, atMs);
      case 'nodeFailedForGood':
        return this.checkAllUndone({ kind: 'failed', node: event.node, error: event.error });
      case 'abandoned':
        if (event.error.code !== 'WORKFLOW_TIMEOUT') return;
        if (workflowContext.compensating === null) this.checkWorkflowTime(beganAtMs, atMs);
        return this.checkAllUndone({ kind: 'timedOut', error: event.error });
      case 'cancelRequested':
        // The second one ends it at once.
        if (workflowContext.compensating === null) this.checkAllUndone({ kind: 'cancelled' });
        return;
      default:
        return;
    }
  }

  private checkEdge(from: number, to: number, taken: boolean | null): void {
    const condition = this.shadow.conditions.get(to)?.get(from);
    const text = this.shadow.results.get(from);
    const what = `${this.name(to)} took the edge from ${this.id(from)} for ${taken}`;
    demand(condition !== undefined, 'EDGES', `${what}, which has no condition`);
    demand(this.shadow.isCompleted(from), 'EDGES', `${what} before that had completed`);
    if (text === undefined) return;
    const truth = truthOf(condition, JSON.parse(text));
    demand(truth === taken, 'EDGES', `${what}; ${condition} is ${truth} over ${text.slice(0, 80)}`);
  }

  private checkIteration(node: number, output: NodeOutput, isLast: boolean): void {
    const { until, max, on_exhausted = 'fail' } = this.spec(node).repeat!;
    const iteration = this.shadow.state.columns.iterationOf(node);
    const what = `${this.name(node)}: iteration ${iteration} of ${max}`;
    demand(iteration <= max, 'LOOP_BOUNDS', `${what} ended`);
    const text = typeof output === 'string' ? output : this.shadow.ownText(node);
    const over = isOver(until, iteration, JSON.parse(text));
    if (!isLast)
      demand(over === false && iteration < max, 'LOOP_BOUNDS', `${what} was not the last, but ${until}`);
    else if (over !== true)
      demand(
        over === false && iteration === max && on_exhausted === 'complete',
        'LOOP_BOUNDS',
        `${what} was the last, not ${until}`,
      );
  }

  private checkTime(node: number, atMs: number): void {
    const { beganAtMs, columns } = this.shadow.state;
    const seconds = this.spec(node).total_timeout_seconds;
    const beganMs = Math.max(beganAtMs, columns.startedAtMs[node]);
    const tookMs = atMs - beganMs;
    demand(
      seconds !== undefined && columns.startedAtMs[node] > 0 && tookMs >= seconds * 1000,
      'TIMEOUTS',
      `${this.name(node)} was out of time (${seconds} s) after ${tookMs} ms`,
    );
  }

  private checkWorkflowTime(beganMs: number, atMs: number): void {
    const { planned } = this.shadow;
    const seconds = planned.workflow.spec.workflow.timeout_seconds ?? Infinity;
    const what = `${planned.id} was out of time (${seconds} s) after ${atMs - beganMs} ms`;
    demand(atMs - beganMs >= seconds * 1000, 'TIMEOUTS', what);
  }

  // Compensation

  private checkBegun(ending: Ending, atMs: number): void {
    const { id } = this.shadow.planned;
    demand(this.due().length > 0, 'COMPENSATION', `${id} compensates, but nothing is to be undone`);
    demand(
      this.isMeant(ending) || (ending.kind === 'cancelled' && this.shadow.compensationAsked),
      'COMPENSATION',
      `${id} compensates although it ends as ${ending.kind}`,
    );
    if (ending.kind === 'timedOut') this.checkWorkflowTime(this.shadow.state.beganAtMs, atMs);
  }

  /** It begins: nothing else runs, and whatever completed later has been undone before. */
  private checkUndoing(node: number): void {
    const { columns, workflowContext } = this.shadow.state;
    const target = this.targetOf(node);
    const what = `${this.name(node)} began`;
    demand(workflowContext.compensating !== null, 'COMPENSATION', `${what} although nothing is compensated`);
    demand(this.shadow.isCompleted(target), 'COMPENSATION', `${what}, but its node has not completed`);
    const running = columns.nodesIn(LEAF.running).map((at) => this.id(at));
    demand(running.length === 0, 'COMPENSATION', `${what} while ${running.join()} ran`);
    if (columns.attempt[node] > 0) return;
    const later = this.due().filter((other) => other !== node && this.isAfter(this.targetOf(other), target));
    const ids = later.map((other) => this.id(other));
    demand(ids.length === 0, 'COMPENSATION', `${what} before ${ids.join()}, whose nodes completed later`);
  }

  private noteUndone(node: number): void {
    const target = this.targetOf(node);
    const key = `${node}/${this.shadow.state.columns.run[target]}`;
    demand(
      !this.undone.has(key),
      'COMPENSATION',
      `${this.name(node)} completed twice for one run of its node`,
    );
    this.undone.add(key);
  }

  private checkAllUndone(ending: Ending): void {
    if (!this.isMeant(ending)) return;
    const left = this.due().map((node) => this.id(node));
    demand(left.length === 0, 'COMPENSATION', `${this.shadow.planned.id} ended without ${left.join()}`);
  }

  private isMeant({ kind }: Ending): boolean {
    const { compensate = 'on_failure' } = this.shadow.planned.workflow.spec.workflow;
    return compensate === 'always' || (kind === 'cancelled') === (compensate === 'on_cancel');
  }

  /** Compensations that have not begun, of nodes that completed. */
  private due(): number[] {
    const { leaf } = this.shadow.state.columns;
    return this.shadow.plan.ids.flatMap((_, node) =>
      this.spec(node).compensates !== undefined &&
      leaf[node] === LEAF.pending &&
      this.shadow.isCompleted(this.targetOf(node))
        ? [node]
        : [],
    );
  }

  private isAfter(a: number, b: number): boolean {
    return this.completedAs.get(a)! > this.completedAs.get(b)!;
  }

  private targetOf(node: number): number {
    return this.shadow.plan.indexOf.get(this.spec(node).compensates!)!;
  }

  // Maps

  private checkList(gate: number, items: number): void {
    const { plan } = this.shadow;
    const { group } = plan.maps[plan.mapOf.get(gate)!];
    const { map } = this.spec(group < 0 ? gate : group);
    const from = readBy(map!);
    const text = from === undefined ? 'null' : this.shadow.results.get(plan.indexOf.get(from)!);
    const list = listOf(map!, JSON.parse(text ?? 'null'));
    const what = `${this.name(gate)} has ${items} items; ${map} over ${text?.slice(0, 80)} gives ${list?.length}`;
    demand(list?.length === items, 'MAP_ITEMS', what);
  }

  private isOfMap(node: number): boolean {
    const { plan } = this.shadow;
    return plan.mapOf.has(node) || plan.maps.some(({ group }) => group === node);
  }

  /** The results of all items, in their order; of a stage of a group, how many there are of each kind. */
  private checkMapOutput(node: number, output: NodeOutput): void {
    const { plan, state } = this.shadow;
    const { leaf } = state.columns;
    const map = plan.mapOf.get(node) ?? plan.maps.findIndex(({ group }) => group === node);
    const { group, sinks } = plan.maps[map];
    const { items } = growingPlan(plan)!.expansionOf(map)!;
    const at = (stage: number, item: number): number => plan.indexOf.get(`${this.id(stage)}[${item}]`)!;
    const open = [...Array(items).keys()].filter((item) =>
      plan.maps[map].stages.some((stage) => OPEN.has(leaf[at(stage, item)])),
    );
    demand(open.length === 0, 'MAP_ITEMS', `${this.name(node)} ended before its items ${open.join()}`);
    if (typeof output !== 'string') return;
    const textOf = (stage: number, item: number): string => {
      const own = at(stage, item);
      return this.shadow.isCompleted(own) ? this.shadow.results.get(own)! : 'null';
    };
    const resultOf = (item: number): string =>
      sinks.length === 1
        ? textOf(sinks[0], item)
        : `{${sinks.map((sink) => `${JSON.stringify(this.id(sink))}:${textOf(sink, item)}`).join()}}`;
    const results = [...Array(items).keys()].map(resultOf);
    const counts = { items, completed: 0, skipped: 0, failed: 0 };
    for (let item = 0; item < items; item++) {
      const own = leaf[stageOfGroup(group, node) ? at(node, item) : at(sinks[0], item)];
      counts[own === LEAF.completed ? 'completed' : own === LEAF.skipped ? 'skipped' : 'failed']++;
    }
    const expected = stageOfGroup(group, node) ? JSON.stringify(counts) : `[${results.join()}]`;
    demand(output === expected, 'MAP_ITEMS', `${this.name(node)} gives ${output}, its items ${expected}`);
  }

  private spec(node: number): ReturnType<Shadow['specOf']> {
    return this.shadow.specOf(node);
  }

  private id(node: number): string {
    return this.shadow.plan.ids[node];
  }

  private name(node: number): string {
    return `${this.shadow.planned.id}: ${this.id(node)}`;
  }
}

const OPEN = new Set([LEAF.pending, LEAF.ready, LEAF.running, LEAF['failed.retrying']]);

function stageOfGroup(group: number, node: number): boolean {
  return group >= 0 && group !== node;
}
