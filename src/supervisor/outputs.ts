import { MaestroError } from '../base/errors.js';
import type { NodeOutput } from '../base/model.js';
import { LEAF, type NodeColumns } from '../engine/columns.js';
import type { ExecutionState } from '../engine/execution-state.js';
import type { Plan } from '../graph/index.js';
import type { ExecutionStore } from '../store/types.js';

/** Where the outputs of an execution are. */
interface OutputSource {
  readonly executionId: string;
  readonly ids: readonly string[];
  readonly columns: NodeColumns;
  /** Large outputs that are not readable from the store yet, by `outputKey`. */
  readonly unsaved?: ReadonlyMap<string, string>;
}

/** Names the output of one run of a node. */
export function outputKey(node: number, run: number): string {
  return `${node}/${run}`;
}

/** The JSON text of a node's output, wherever it is. @throws RECORD_CORRUPT when the store lost it */
export async function outputText(store: ExecutionStore, source: OutputSource, node: number): Promise<string> {
  const { columns } = source;
  const output = columns.output[node];
  return output === null ? 'null' : textOf(store, source, { node, run: columns.run[node], output });
}

/** The JSON text of an output of any run. @throws RECORD_CORRUPT when the store lost it */
export async function textOf(
  store: ExecutionStore,
  { executionId, ids, unsaved }: Omit<OutputSource, 'columns'>,
  { node, run, output }: { node: number; run: number; output: NodeOutput },
): Promise<string> {
  if (typeof output === 'string') return output;
  const text = unsaved?.get(outputKey(node, run)) ?? (await store.getOutput(executionId, node, run));
  if (text !== undefined) return text;
  const what = `the store lost the output of node "${ids[node]}" of execution ${executionId}`;
  throw new MaestroError('RECORD_CORRUPT', what);
}

/** Nodes of the definition that an expression reads: only what it names, all when that cannot be told. */
export function referencedNodes(plan: Plan, references: readonly string[] | 'all'): Iterable<number> {
  if (references === 'all') return plan.order.filter((node) => node < plan.fixedCount);
  return references.flatMap((id) => plan.indexOf.get(id) ?? []);
}

/** The outputs that an expression reads, by id, as far as they are there. */
export async function referencedOutputs(
  { plan, columns: { leaf } }: ExecutionState,
  references: readonly string[] | 'all',
  outputText: (node: number) => Promise<string>,
): Promise<Map<string, unknown>> {
  const outputs = new Map<string, unknown>();
  for (const node of referencedNodes(plan, references))
    if (leaf[node] === LEAF.completed)
      outputs.set(plan.ids[node], JSON.parse(await outputText(node)) as unknown);
  return outputs;
}
