import { fillTemplate, templateExpressions } from '../policy/value-template.js';
import { compileValue } from '../policy/value-expression.js';
import type { Workflow } from '../spec/index.js';
import type { ActiveExecution } from '../supervisor/active-execution.js';
import { conditionNode } from '../supervisor/conditions.js';
import { referencedOutputs } from '../supervisor/outputs.js';
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
  const read = [...compiled.values()].map(({ references }) => references);
  const references = read.some((each) => each === 'all') ? 'all' : [...new Set(read.flat())];
  const outputs = await referencedOutputs(engine.state, references, outputText);
  const input = {
    outputs,
    globalContext: JSON.parse(globalContext) as Record<string, unknown>,
    node: conditionNode(spec),
  };
  const filled = fillTemplate(given, (source) => compiled.get(source)!.evaluate(input));
  return contextText(workflow, filled as Record<string, unknown>);
}
