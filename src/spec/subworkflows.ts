import { dirname, resolve } from 'node:path';
import type { NodeSpec, Workflow } from './types.js';

/** What only a `subworkflow` can have. */
export const SUBWORKFLOW_KEYS = ['workflow', 'with', 'output', 'definition'] as const;

/** How deep workflows may be nested in each other, the outermost not counted. */
export const MAX_NESTED_WORKFLOWS = 8;

/** The workflow that a `subworkflow` node of a checked workflow runs; undefined: the node is no such one. */
export function childWorkflowOf(parent: Workflow, node: NodeSpec): Workflow | undefined {
  const { definition, workflow: path } = node;
  if (definition === undefined) return undefined;
  const given = parent.subworkflows?.get(node.id);
  if (given?.definitionHash === definition) return given;
  const spec = parent.spec.subworkflows?.[definition];
  if (spec === undefined) return undefined;
  const baseDir = path === undefined ? parent.baseDir : folderOf(resolve(parent.baseDir, path), path);
  return { spec, baseDir, definitionHash: definition, functions: new Map() };
}

/** From code a folder is given, with `/` at its end, from files the file. */
function folderOf(resolved: string, path: string): string {
  return path.endsWith('/') ? resolved : dirname(resolved);
}

/** Whether a workflow, or one that it runs, has functions: those have no hash, and cannot be stored. */
export function hasFunctions({ functions, subworkflows }: Workflow): boolean {
  return functions.size > 0 || [...(subworkflows?.values() ?? [])].some(hasFunctions);
}
