import { toErrorDocument } from '../base/errors.js';
import { LEAF } from '../engine/columns.js';
import type { ConditionVerdict } from '../engine/effects.js';
import type { NodeSpec } from '../spec/index.js';
import type { ActiveExecution } from './active-execution.js';

/** Evaluates a node's condition, or that on the edge from `from`, over the outputs it refers to. Never rejects: what goes wrong is the verdict. */
export async function evaluateCondition(
  execution: ActiveExecution,
  node: number,
  from: number | undefined,
  outputText: (node: number) => Promise<string>,
): Promise<ConditionVerdict> {
  try {
    const { definition, engine } = execution;
    const condition = definition.conditionOf(node, from);
    const outputs = new Map<string, unknown>();
    for (const index of referenced(execution, condition.references)) {
      if (engine.state.columns.leaf[index] !== LEAF.completed) continue;
      outputs.set(definition.plan.ids[index], JSON.parse(await outputText(index)) as unknown);
    }
    const met = condition.evaluate({
      outputs,
      globalContext: JSON.parse(execution.globalContext) as Record<string, unknown>,
      node: conditionNode(definition.nodeSpec(node)),
    });
    return met ? { met: true } : { met: false, condition: condition.source };
  } catch (error) {
    return { met: 'error', error: toErrorDocument(error) };
  }
}

/** What a condition can read of the node it belongs to. */
export function conditionNode({
  id,
  name,
  type,
  config = {},
  metadata = {},
}: NodeSpec): Record<string, unknown> {
  return { id, name, type, config, metadata };
}

/** Only what the expression names is parsed; all completed nodes when it cannot be told. */
function referenced(execution: ActiveExecution, references: readonly string[] | 'all'): Iterable<number> {
  const { plan } = execution.definition;
  if (references === 'all') return plan.order;
  return references.flatMap((id) => plan.indexOf.get(id) ?? []);
}
