import { LEAF } from '../engine/columns.js';
import { fillTemplate, templateExpressions } from '../policy/value-template.js';
import { compileValue } from '../policy/value-expression.js';
import type { Workflow } from '../spec/index.js';
import type { ActiveExecution } from '../supervisor/active-execution.js';
import { conditionNode } from '../supervisor/conditions.js';
import { contextText } from './context.js';

/**
 * What a child is started with, as JSON text: its workflow's own context, and `with` of the node over it.
 * @throws EXPRESSION_FAILED, CONTEXT_INVALID
 */
export async function childContext(
  { definition, engine, globalContext }: ActiveExecution,
  node: number,
  workflow: Workflow,
  outputText: (node: number) => Promise<string>,
): Promise<string> {
  const spec = definition.nodeSpec(node);
  const given = spec.with ?? {};
  const compiled = new Map(
    templateExpressions(given).map(({ source }) => [source, compileValue(source)] as const),
  );
  if (compiled.size === 0) return contextText(workflow, given);
  const { plan } = definition;
  const outputs = new Map<string, unknown>();
  for (const { references } of compiled.values())
    for (const id of references === 'all' ? plan.ids : references) {
      const index = plan.indexOf.get(id);
      if (index === undefined || outputs.has(id) || engine.state.columns.leaf[index] !== LEAF.completed)
        continue;
      outputs.set(id, JSON.parse(await outputText(index)) as unknown);
    }
  const input = {
    outputs,
    globalContext: JSON.parse(globalContext) as Record<string, unknown>,
    node: conditionNode(spec),
  };
  const filled = fillTemplate(given, (source) => compiled.get(source)!.evaluate(input));
  return contextText(workflow, filled as Record<string, unknown>);
}
