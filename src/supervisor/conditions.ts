import { toErrorDocument } from '../base/errors.js';
import { LEAF } from '../engine/columns.js';
import type { ConditionVerdict, Effect } from '../engine/effects.js';
import { growingPlan, mapOfNode, type Plan } from '../graph/index.js';
import type { CompiledCondition } from '../policy/condition.js';
import type { NodeSpec } from '../spec/index.js';
import type { ActiveExecution } from './active-execution.js';
import { numberOf } from './maps.js';
import { referencedNodes, referencedOutputs } from './outputs.js';

type OutputText = (node: number) => Promise<string>;

/** Evaluates a node's condition, or that on the edge from `from`, over the outputs it refers to. Never rejects: what goes wrong is the verdict. */
export function evaluateCondition(
  execution: ActiveExecution,
  node: number,
  from: number | undefined,
  outputText: OutputText,
): Promise<ConditionVerdict> {
  const { definition } = execution;
  return verdictOn(execution, node, definition.conditionOf(node, from), outputText, () =>
    conditionNode(definition.nodeSpec(node)),
  );
}

/**
 * Evaluates what ends the loop of a node that repeats. The output of its iteration is there like that of a node, and as
 * `node.output`; `node.iteration` counts from 1. Never rejects.
 * @param ownText the text of that output
 */
export function evaluateUntil(
  execution: ActiveExecution,
  { node, iteration }: Effect & { kind: 'judge' },
  outputText: OutputText,
  ownText: () => Promise<string>,
): Promise<ConditionVerdict> {
  const { definition } = execution;
  return verdictOn(execution, node, definition.untilOf(node), outputText, async (outputs) => {
    const output = JSON.parse(await ownText()) as unknown;
    outputs.set(definition.plan.ids[node], output);
    return { ...conditionNode(definition.nodeSpec(node)), iteration, output };
  });
}

/** @param nodeOf what the expression reads of its node; may add to the outputs */
async function verdictOn(
  execution: ActiveExecution,
  node: number,
  condition: CompiledCondition,
  outputText: OutputText,
  nodeOf: (outputs: Map<string, unknown>) => Record<string, unknown> | Promise<Record<string, unknown>>,
): Promise<ConditionVerdict> {
  try {
    const { plan } = execution.definition;
    const isItem = node >= plan.fixedCount;
    const values = isItem ? await execution.mapValues.load(execution, node, outputText) : undefined;
    const outputs = isItem
      ? await outputsBeside(execution, node, condition.references, values!.parsed, outputText)
      : await referencedOutputs(execution.engine.state, condition.references, outputText);
    const index = isItem ? numberOf(execution, node) : 0;
    const met = condition.evaluate({
      outputs,
      node: await nodeOf(outputs),
      globalContext: JSON.parse(execution.globalContext) as Record<string, unknown>,
      ...(values !== undefined && { item: { value: values.items[index], index } }),
    });
    return met ? { met: true } : { met: false, condition: condition.source };
  } catch (error) {
    return { met: 'error', error: toErrorDocument(error) };
  }
}

/** The same for an item of a map. @param parsed those that all items have in common, each parsed once */
async function outputsBeside(
  execution: ActiveExecution,
  item: number,
  references: CompiledCondition['references'],
  parsed: Map<number, unknown>,
  outputText: OutputText,
): Promise<Map<string, unknown>> {
  const { plan } = execution.definition;
  const { leaf } = execution.engine.state.columns;
  const outputs = new Map<string, unknown>();
  for (const named of referencedNodes(plan, references)) {
    const index = besideItem(plan, item, named);
    if (leaf[index] !== LEAF.completed) continue;
    let output = parsed.get(index);
    if (output === undefined) {
      output = JSON.parse(await outputText(index)) as unknown;
      if (index < plan.fixedCount) parsed.set(index, output);
    }
    outputs.set(plan.ids[named], output);
  }
  return outputs;
}

/** Of another stage of its own map an item sees what was done with it there. */
function besideItem(plan: Plan, item: number, named: number): number {
  if (plan.mapOf.get(named) !== mapOfNode(plan, item)) return named;
  return growingPlan(plan)!.itemNode(named, plan.itemNumbers[item - plan.fixedCount]);
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
