import { MaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import { LEAF } from '../engine/columns.js';
import type { ChildEnd } from '../engine/effects.js';
import type { ExecutionState } from '../engine/execution-state.js';
import { dependentsOf } from '../graph/index.js';
import { compileValue } from '../policy/value-expression.js';
import type { ExecutionRecord } from '../store/types.js';
import type { Definition } from '../supervisor/definition.js';
import { referencedOutputs } from '../supervisor/outputs.js';

/** An execution that has ended, wherever it is read. */
export interface EndedChild {
  readonly record: ExecutionRecord;
  readonly definition: Definition;
  readonly state: ExecutionState;
  /** JSON text. */
  readonly globalContext: string;
  /** The JSON text of a completed node's output. */
  readonly outputText: (node: number) => Promise<string>;
}

/** What the end of a child is for the node that waits for it. */
export async function outcomeOf(child: EndedChild, outputExpression?: string): Promise<ChildEnd['outcome']> {
  const { state, record } = child;
  if (state.workflowLeaf === 'completed') {
    const text =
      outputExpression === undefined ? finalOutputs(child) : expressedOutput(child, outputExpression);
    return { output: await text };
  }
  const { executionId } = record;
  if (state.workflowLeaf === 'cancelled') {
    // Somebody wanted it to end: another one would not be wanted either.
    const details = { execution_id: executionId, non_retryable: true };
    return failure(
      'SUBWORKFLOW_CANCELLED',
      `the subworkflow execution ${executionId} was cancelled`,
      details,
    );
  }
  return { error: failureOf(child) };
}

/** The outputs of the nodes that nothing depends on but what compensates them, by id. Items are in their map's. */
async function finalOutputs({ definition, state, outputText }: EndedChild): Promise<string> {
  const { plan } = state;
  const { compensations } = definition;
  const parts: string[] = [];
  for (let node = 0; node < plan.fixedCount; node++) {
    if (state.columns.leaf[node] !== LEAF.completed) continue;
    if (dependentsOf(plan, node).some((dependent) => !compensations.has(dependent))) continue;
    parts.push(definition.keyOf(node) + (await outputText(node)));
  }
  return `{${parts.join()}}`;
}

/** What the node's expression gives over the child's outputs. @throws EXPRESSION_FAILED */
async function expressedOutput(child: EndedChild, source: string): Promise<string> {
  const { state, outputText, globalContext, record } = child;
  const { references, evaluate } = compileValue(source);
  const outputs = await referencedOutputs(state, references, outputText);
  const context = JSON.parse(globalContext) as Record<string, unknown>;
  const node = { execution_id: record.executionId, workflow_id: record.workflowId };
  return JSON.stringify(evaluate({ outputs, globalContext: context, node })) ?? 'null';
}

function failureOf({ record, definition, state }: EndedChild): ErrorDocument {
  const { failedNode, error } = state.workflowContext;
  const { executionId } = record;
  const nodeId = failedNode >= 0 ? definition.plan.ids[failedNode] : null;
  const where = nodeId === null ? '' : ` at node "${nodeId}"`;
  const message = `the subworkflow execution ${executionId} failed${where}: ${error?.message ?? 'for no known reason'}`;
  const details = { execution_id: executionId, failed_node: nodeId, error };
  return failure('SUBWORKFLOW_FAILED', message, details).error;
}

function failure(
  code: 'SUBWORKFLOW_FAILED' | 'SUBWORKFLOW_CANCELLED',
  message: string,
  details: Record<string, unknown>,
): { error: ErrorDocument } {
  const { stack: _, ...error } = toErrorDocument(new MaestroError(code, message, { details }));
  return { error };
}
