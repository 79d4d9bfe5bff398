import { MaestroError, type Problem } from '../base/errors.js';
import { INLINE_OUTPUT_LIMIT_BYTES, isWorkflowStatusEnded } from '../base/model.js';
import { statusOfLeaf } from '../engine/columns.js';
import type { WaitAnswer } from '../engine/effects.js';
import type { ExecutionState } from '../engine/execution-state.js';
import { compileJsonSchema } from '../policy/json-schema.js';
import { answerSchemaOf, type NodeSpec, type WorkflowSpec } from '../spec/index.js';
import { notFound } from './history.js';
import { readState } from './reader.js';
import type { Steering } from './steering.js';
import type { ReviewInput, SignalOptions } from './types.js';

const MAX_COMMENT_CHARS = 10_000;
const MAX_NAME_CHARS = 255;
const MAX_KNOWN_SHOWN = 10;

/**
 * What people and other systems tell nodes that wait. Everything is checked where it is sent, so that the sender
 * learns what is wrong with it; then it is applied here, or left in the inbox to whoever runs the execution.
 */
export class Answers {
  private readonly host: Steering['host'];

  constructor(private readonly steering: Steering) {
    this.host = steering.host;
  }

  /** @throws EXECUTION_NOT_FOUND, EXECUTION_STATE, SIGNAL_UNKNOWN, PAYLOAD_INVALID */
  signal(executionId: string, name: string, payload: unknown, { signalId }: SignalOptions): Promise<void> {
    return this.steering.inTurn(executionId, async () => {
      this.host.assertOpen();
      const spec = await this.openExecution(executionId);
      const nodes = spec.nodes.filter((node) => node.wait_for?.signal === name);
      if (nodes.length === 0) throw unknownSignal(spec, name);
      const text = jsonText(payload, `the payload of signal ${JSON.stringify(name)}`);
      const id = signalId === undefined ? null : shortText(signalId, 'the signal id', MAX_NAME_CHARS);
      for (const node of nodes) assertFits(node, JSON.parse(text), `signal ${JSON.stringify(name)}`);
      await this.send(executionId, { type: 'signalReceived', name, payload: text, id });
    });
  }

  /** @throws EXECUTION_NOT_FOUND, NODE_NOT_FOUND, EXECUTION_STATE, PAYLOAD_INVALID, USAGE */
  review(executionId: string, nodeId: string, input: ReviewInput): Promise<void> {
    return this.steering.inTurn(executionId, async () => {
      this.host.assertOpen();
      const spec = await this.openExecution(executionId);
      const node = spec.nodes.findIndex(({ id }) => id === nodeId);
      if (node < 0)
        throw new MaestroError(
          'NODE_NOT_FOUND',
          `execution ${executionId} has no node ${JSON.stringify(nodeId)}`,
        );
      const said = remarks(input);
      if (input.decision === undefined && said.comment === null)
        throw new MaestroError('USAGE', 'a review needs a decision (approve or reject) or a comment');
      const response = checkedResponse(spec.nodes[node], input);
      const { columns } = await this.state(executionId);
      if (columns.waits.get(node)?.kind !== 'review' || (await this.isDecided(executionId, node))) {
        const status = statusOfLeaf(columns.leaf[node]);
        const what = columns.waits.has(node) ? 'its review has been decided already' : `it is ${status}`;
        throw new MaestroError(
          'EXECUTION_STATE',
          `node ${JSON.stringify(nodeId)} waits for no review: ${what}`,
        );
      }
      const run = columns.run[node];
      const { comment, reviewer } = said;
      if (input.decision !== undefined)
        await this.send(executionId, {
          type: 'reviewDecided',
          node,
          run,
          decision: input.decision,
          response,
          comment,
          reviewer,
        });
      else await this.send(executionId, { type: 'reviewCommented', node, run, text: comment!, reviewer });
    });
  }

  /** A decision that nobody has seen yet is one all the same. */
  private async isDecided(executionId: string, node: number): Promise<boolean> {
    return (await this.host.store.requests()).some(
      (request) =>
        request.kind === 'answer' &&
        request.executionId === executionId &&
        request.answer.type === 'reviewDecided' &&
        request.answer.node === node,
    );
  }

  private async openExecution(executionId: string): Promise<WorkflowSpec> {
    const { status, definitionHash } = await this.steering.record(executionId);
    if (isWorkflowStatusEnded(status))
      throw new MaestroError('EXECUTION_STATE', `execution ${executionId} is ${status}: nothing in it waits`);
    const spec = await this.host.store.getDefinition(definitionHash);
    if (spec === undefined) throw notFound(executionId);
    return spec;
  }

  /** As it is decided here, or as the store has it. */
  private async state(executionId: string): Promise<ExecutionState> {
    const { residents, supervisor, store, definitions } = this.host;
    await residents.arrival(executionId);
    const live = supervisor.active.get(executionId)?.engine.state;
    const state = live ?? (await readState(store, definitions, executionId));
    if (state === undefined) throw notFound(executionId);
    return state;
  }

  /**
   * Nothing is taken over for an answer: whoever goes on with an execution that nobody runs finds it in the inbox.
   * What ended in the same moment is found out before it is left there.
   */
  private async send(executionId: string, answer: WaitAnswer): Promise<void> {
    const { residents } = this.host;
    if (residents.isHere(executionId) && (await this.steering.apply(executionId, answer, []))) return;
    await this.openExecution(executionId);
    await this.steering.leaveRequest(executionId, { kind: 'answer', answer });
  }
}

function unknownSignal(spec: WorkflowSpec, name: string): MaestroError {
  const known = [...new Set(spec.nodes.flatMap((node) => node.wait_for?.signal ?? []))];
  const shown = known.slice(0, MAX_KNOWN_SHOWN).map((each) => JSON.stringify(each));
  const more = known.length > shown.length ? `, and ${known.length - shown.length} more` : '';
  const what = known.length === 0 ? 'none' : `${shown.join(', ')}${more}`;
  return new MaestroError(
    'SIGNAL_UNKNOWN',
    `no node of workflow "${spec.workflow.id}" waits for a signal ${JSON.stringify(name)}; it knows ${what}`,
  );
}

/** What an answer says besides its decision. @throws PAYLOAD_INVALID */
function remarks({ comment, reviewer }: ReviewInput): { comment: string | null; reviewer: string | null } {
  return {
    comment: comment === undefined ? null : shortText(comment, 'the comment', MAX_COMMENT_CHARS),
    reviewer: reviewer === undefined ? null : shortText(reviewer, 'the name of the reviewer', MAX_NAME_CHARS),
  };
}

/** The response as it is stored. Who rejects need not give one. @throws PAYLOAD_INVALID, USAGE */
function checkedResponse(node: NodeSpec, { decision, response }: ReviewInput): unknown {
  if (decision === undefined && response !== undefined)
    throw new MaestroError('USAGE', 'a comment carries no response: only a decision does');
  const value: unknown = JSON.parse(jsonText(response, 'the response'));
  if (decision === 'approve' || response !== undefined)
    assertFits(node, value, `the response to node ${JSON.stringify(node.id)}`);
  return value;
}

function assertFits(node: NodeSpec, value: unknown, what: string): void {
  const schema = answerSchemaOf(node);
  const problems: Problem[] = schema === undefined ? [] : compileJsonSchema(schema)(value);
  if (problems.length === 0) return;
  const [{ message }] = problems;
  const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`;
  throw new MaestroError('PAYLOAD_INVALID', `${what} does not fit the schema: ${message}${more}`, {
    problems,
  });
}

/** undefined counts as null, as in the outputs of steps. */
function jsonText(value: unknown, what: string): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value ?? null);
  } catch (cause) {
    throw new MaestroError('PAYLOAD_INVALID', `${what} cannot be written as JSON: ${String(cause)}`, {
      cause,
    });
  }
  if (text === undefined) throw new MaestroError('PAYLOAD_INVALID', `${what} cannot be written as JSON`);
  if (Buffer.byteLength(text) <= INLINE_OUTPUT_LIMIT_BYTES) return text;
  throw new MaestroError(
    'PAYLOAD_INVALID',
    `${what} has more than ${INLINE_OUTPUT_LIMIT_BYTES} bytes of JSON`,
    {
      next: 'Send where the data is instead of the data.',
    },
  );
}

function shortText(text: string, what: string, maxChars: number): string {
  if (typeof text === 'string' && text.length > 0 && text.length <= maxChars) return text;
  throw new MaestroError('PAYLOAD_INVALID', `${what} must be a text of 1 to ${maxChars} characters`);
}
