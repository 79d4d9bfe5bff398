import { relative } from 'node:path';
import type { NodeSpec, Workflow, WorkflowSpec } from './types.js';

/** A node that runs another workflow as an execution of its own. */
export interface SubworkflowOptions {
  workflow: Workflow;
  /** What the child is started with, over its global context. A text that is `${CEL}` as a whole is evaluated. */
  with?: Record<string, unknown>;
  /** CEL over the child's `outputs`; its value is the node's output. Default: the outputs of its final nodes, by id. */
  output?: string;
}

export interface NoSubworkflow {
  workflow?: never;
  with?: never;
  output?: never;
}

/** What running a workflow adds to a node's document. */
export function subworkflowFields(
  options: SubworkflowOptions | NoSubworkflow,
): Pick<NodeSpec, 'definition' | 'with' | 'output'> {
  return { definition: options.workflow?.definitionHash, with: options.with, output: options.output };
}

/** The definitions that nodes run, for the document of their workflow; nothing when there are none. */
export function definitionsOf(children: ReadonlyMap<string, Workflow>): Pick<WorkflowSpec, 'subworkflows'> {
  if (children.size === 0) return {};
  const all = [...children.values()].map(({ definitionHash, spec }) => [definitionHash, spec] as const);
  return { subworkflows: Object.fromEntries(all) };
}

/** Children whose steps are elsewhere: their nodes say where. */
export function withFolders(
  spec: WorkflowSpec,
  children: ReadonlyMap<string, Workflow>,
  baseDir: string,
): WorkflowSpec {
  const located = (node: NodeSpec): NodeSpec => {
    const child = children.get(node.id);
    if (child === undefined || child.baseDir === baseDir) return node;
    return { ...node, workflow: `${relative(baseDir, child.baseDir)}/` };
  };
  return children.size === 0 ? spec : { ...spec, nodes: spec.nodes.map(located) };
}
