import type { NodeOutput } from '../../src/base/model.js';
import type { Decision } from '../../src/policy/wait.js';
import type { Entry } from '../../src/engine/entries.js';
import type { NodeColumns } from '../../src/engine/columns.js';
import type { WaitAnswer } from '../../src/engine/effects.js';
import { demand } from './violation.js';

/** A decision that somebody was asked to take on: its reviewer is nobody else's. */
interface SaidDecision {
  readonly node: number;
  readonly decision: Decision['decision'];
  /** When it was asked for, and acknowledged: as numbers that count what happens. */
  readonly asked: number;
  told: number;
}

/**
 * What was said to the nodes of one execution that wait, and what became of it, kept from what is on disk alone. A
 * payload stands for one signal, a reviewer for one decision.
 */
export class Answers {
  private readonly signals = new Map<string, string>();
  private readonly decisions = new Map<string, SaidDecision>();
  /** Payloads in the journal. */
  private readonly heard = new Set<string>();
  private readonly taken = new Set<string>();
  /** Payloads that no node has taken yet, by signal name, in the order in which they came. */
  private readonly open = new Map<string, string[]>();
  /** Answers in the inbox, by key. */
  private readonly inbox = new Map<string, WaitAnswer>();
  /** Who decided a run of a node, as `node/run`. */
  private readonly decided = new Map<string, string | null>();
  /** Counts what was said and told of decisions. */
  private happened = 0;
  /** What ended the wait of a node whose outcome has not been seen yet. */
  private ending: {
    readonly node: number;
    readonly by: string;
    readonly payload: string | undefined;
  } | null = null;

  constructor(
    private readonly name: string,
    private readonly columns: NodeColumns,
    /** Nothing more will become of what is in the inbox. */
    private readonly isOver: () => boolean,
  ) {}

  says(payload: string, signal: string): void {
    this.signals.set(payload, signal);
  }

  decides(reviewer: string, node: number, decision: Decision['decision']): void {
    this.decisions.set(reviewer, { node, decision, asked: ++this.happened, told: Infinity });
  }

  /** The sender of a signal was told that it has arrived. */
  toldSignal(payload: string): void {
    const kept = this.heard.has(payload) || this.inInbox((answer) => payloadOf(answer) === payload);
    demand(
      kept || this.isOver(),
      'ANSWER_LOST',
      `${this.name}: signal ${payload} was told as kept, and is not`,
    );
  }

  /** A reviewer was told that the decision holds. */
  toldDecision(reviewer: string): void {
    const said = this.decisions.get(reviewer)!;
    const { node } = said;
    const run = this.columns.run[node];
    const by = this.decided.get(`${node}/${run}`);
    said.told = ++this.happened;
    const waits = this.inInbox((answer) => reviewerOf(answer) === reviewer);
    if (by === undefined || by === reviewer || waits || this.isOver()) return;
    const what = `${this.name}: ${reviewer} was told to have decided node ${node}; ${by ?? 'the deadline'} had`;
    demand(by === null, 'REVIEW_IS_FINAL', what);
  }

  /** An entry that is about to be replayed. */
  take({ node, event }: Entry): void {
    const { name, columns } = this;
    switch (event.type) {
      case 'signalReceived': {
        const { payload } = event;
        demand(this.signals.get(payload) === event.name, 'ANSWER_LOST', `${name}: nobody sent ${payload}`);
        demand(!this.heard.has(payload), 'SIGNAL_ONCE', `${name}: ${payload} arrived twice`);
        this.heard.add(payload);
        const open = this.open.get(event.name);
        if (open === undefined) this.open.set(event.name, [payload]);
        else open.push(payload);
        return;
      }
      case 'waitEnded': {
        const signal = columns.waits.get(node)?.signal;
        const payload = event.by === 'signal' ? this.open.get(signal!)?.shift() : undefined;
        const reached = event.by !== 'signal' || payload !== undefined;
        demand(reached, 'SIGNAL_ONCE', `${name}: node ${node} took a signal that was not there`);
        this.ending = { node, by: event.by, payload };
        return;
      }
      case 'attemptSucceeded':
      case 'attemptFailed':
        if (this.ending?.node !== node) return;
        if (this.ending.by === 'signal')
          this.checkTaken(event.type === 'attemptSucceeded' ? event.output : null);
        if (this.ending.by === 'review') this.checkDecision(node, decisionOf(event));
        else this.decided.set(`${node}/${columns.run[node]}`, null);
        this.ending = null;
        return;
      default:
        return;
    }
  }

  /** A journal record was replayed: no signal is kept from a node that waits for it. */
  checkKept(): void {
    for (const [node, { signal }] of this.columns.waits) {
      const payloads = signal === null ? [] : (this.open.get(signal) ?? []);
      const what = `${this.name}: node ${node} waits for ${signal}, and ${payloads.join()} is there`;
      demand(payloads.length === 0, 'ANSWER_LOST', what);
    }
  }

  put(key: string, answer: WaitAnswer): void {
    this.inbox.set(key, answer);
  }

  /** An answer was taken out of the inbox: it must have come to something. */
  removed(key: string): void {
    const answer = this.inbox.get(key);
    this.inbox.delete(key);
    if (answer === undefined || this.isOver()) return;
    if (answer.type === 'signalReceived') {
      const { payload } = answer;
      demand(
        this.heard.has(payload),
        'ANSWER_LOST',
        `${this.name}: signal ${payload} is gone from the inbox`,
      );
    } else if (answer.type === 'reviewDecided') {
      const { node, run } = answer;
      const waits = this.columns.waits.has(node) && this.columns.run[node] === run;
      demand(!waits, 'ANSWER_LOST', `${this.name}: the decision about node ${node} is gone from the inbox`);
    }
  }

  private checkTaken(output: NodeOutput | null): void {
    const { node, payload } = this.ending!;
    demand(
      output === payload,
      'SIGNAL_ONCE',
      `${this.name}: node ${node} took ${JSON.stringify(output)}, next was ${payload}`,
    );
    demand(!this.taken.has(payload), 'SIGNAL_ONCE', `${this.name}: ${payload} was taken twice`);
    this.taken.add(payload);
  }

  private checkDecision(node: number, { reviewer, decision }: ReturnType<typeof decisionOf>): void {
    const run = this.columns.run[node];
    const said = this.decisions.get(reviewer);
    const what = `${this.name}: node ${node} has the decision ${decision} of ${reviewer}`;
    if (said?.node !== node || said.decision !== decision)
      return demand(false, 'REVIEW_IS_FINAL', `${what}, who did not say so`);
    this.decided.set(`${node}/${run}`, reviewer);
    for (const answer of this.inbox.values()) {
      const other = answer.type === 'reviewDecided' ? answer.reviewer! : reviewer;
      const isOf = 'node' in answer && answer.node === node && answer.run === run;
      // One that was on its way to the disk already holds.
      const overruled = isOf && other !== reviewer && this.decisions.get(other)!.told < said.asked;
      demand(!overruled, 'REVIEW_IS_FINAL', `${what}; ${other} had been told to have decided`);
    }
  }

  private inInbox(is: (answer: WaitAnswer) => boolean): boolean {
    return [...this.inbox.values()].some(is);
  }
}

function payloadOf(answer: WaitAnswer): string | null {
  return answer.type === 'signalReceived' ? answer.payload : null;
}

function reviewerOf(answer: WaitAnswer): string | null {
  return answer.type === 'reviewDecided' ? answer.reviewer : null;
}

/** Whose decision ended a review. */
function decisionOf(event: Entry['event'] & { type: 'attemptSucceeded' | 'attemptFailed' }): {
  reviewer: string;
  decision: Decision['decision'];
} {
  if (event.type === 'attemptFailed')
    return { reviewer: String(event.error.details?.reviewer), decision: 'reject' };
  const { reviewer, decision } = JSON.parse(event.output as string) as { reviewer: string; decision: string };
  return { reviewer, decision: decision === 'approved' ? 'approve' : 'reject' };
}
