import { isMaestroError } from '../base/errors.js';
import type { ExecutionEvent } from '../observe/events.js';
import type { ExecutionDocument, Runtime } from '../runtime/types.js';
import { answerSchemaOf } from '../spec/index.js';
import type { Answer, SeedFates } from './seed-fates.js';
import { REVIEWER } from './seed-values.js';
import type { Timeline } from './timeline.js';
import type { WorkflowModel } from './workflow-model.js';

/** How long somebody who finds no process that listens waits before trying again. */
const AGAIN_MS = 1_000;

interface RespondentOptions {
  readonly model: WorkflowModel;
  readonly fates: SeedFates;
  readonly timeline: Timeline;
  readonly executionId: string;
  /** Asks the process that lives, if one does; resolves to false when it died over it. */
  readonly ask: (request: (runtime: Runtime) => Promise<void>) => Promise<boolean>;
  readonly note: (nodeId: string, text: string) => void;
  /** Nobody will answer this one. */
  readonly silent: (nodeId: string) => void;
  readonly failed: (error: unknown) => void;
}

/** The people and systems outside, who answer what waits: they outlive every process. */
export class Respondent {
  /** Nodes that somebody is about to answer; true: it began to wait once more meanwhile. */
  private readonly busy = new Map<string, boolean>();
  private answers = 0;

  constructor(private readonly options: RespondentOptions) {}

  /** Something began to wait. */
  heard({ event_type, node_id, data }: ExecutionEvent): void {
    if (event_type === 'node_started' && data.waiting_for !== undefined) this.consider(node_id!);
  }

  /** What a process that died told nobody is found by looking. */
  look({ node_states }: ExecutionDocument): void {
    const { model } = this.options;
    for (const [nodeId, { status }] of Object.entries(node_states)) {
      const isWait = model.waitOf(model.nodeOf(nodeId)) !== null;
      if (isWait && status === 'running' && !this.busy.has(nodeId)) this.consider(nodeId);
    }
  }

  private consider(nodeId: string): void {
    if (this.busy.has(nodeId)) return void this.busy.set(nodeId, true);
    const { model, fates, failed, silent } = this.options;
    const node = model.nodeOf(nodeId);
    const answer = fates.answerTo(node);
    if (answer !== null) this.give(nodeId, answer).catch(failed);
    else if (fates.silenceOf(node) !== null) silent(nodeId);
  }

  private async give(nodeId: string, answer: Answer): Promise<void> {
    const { timeline, ask, note } = this.options;
    this.busy.set(nodeId, false);
    await timeline.sleep(answer.delayMs);
    const signalId = `${nodeId}/${++this.answers}`;
    while (!(await ask((runtime) => this.send(runtime, nodeId, signalId, answer))))
      await timeline.sleep(AGAIN_MS);
    note(nodeId, answer.decision === undefined ? 'is answered' : `is answered: ${answer.decision}`);
    const isAsked = this.busy.get(nodeId) === true;
    this.busy.delete(nodeId);
    // Perhaps it was this answer that ended the newer wait, perhaps it came before.
    if (isAsked) await ask(async (runtime) => this.look((await runtime.get(this.options.executionId))!));
  }

  private async send(
    runtime: Runtime,
    nodeId: string,
    signalId: string,
    { decision, value }: Answer,
  ): Promise<void> {
    const { model, executionId } = this.options;
    const spec = model.nodes[model.nodeOf(nodeId)];
    try {
      if (spec.wait_for !== undefined)
        await runtime.signal(executionId, spec.wait_for.signal, value, { signalId });
      else {
        // Who rejects need not respond, and has nothing to say where only approvals have a form.
        const response = decision === 'reject' && answerSchemaOf(spec) === undefined ? undefined : value;
        await runtime.review(executionId, nodeId, { decision, response, reviewer: REVIEWER });
      }
    } catch (error) {
      // It was decided before the process died, or has expired, or the execution has ended.
      if (!isMaestroError(error, 'EXECUTION_STATE')) throw error;
    }
  }
}
