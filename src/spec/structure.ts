import { MaestroError } from '../base/errors.js';
import { expandGroups, type GraphNode } from '../graph/index.js';
import { graphNodes } from './plans.js';
import type { WorkflowSpec } from './types.js';

/** How two definitions of one workflow differ in their graphs. Document form: it goes to users as it is. */
export interface StructureDifference {
  /** Nodes of the stored definition that the given one lacks. */
  missing_in_given: string[];
  /** Nodes of the given definition that the stored one lacks. */
  missing_in_stored: string[];
  /** Nodes of both whose dependencies are not the same (sorted). */
  dependencies_differ: { node_id: string; stored: string[]; given: string[] }[];
}

/**
 * Compares the graphs of two definitions in normal form (edges folded into dependencies): null when node ids and
 * dependencies are the same, in whatever order. What nodes execute may differ.
 */
export function compareStructure(stored: WorkflowSpec, given: WorkflowSpec): StructureDifference | null {
  const storedNodes = byId(stored);
  const givenNodes = byId(given);
  const difference: StructureDifference = {
    missing_in_given: stored.nodes.filter((node) => !givenNodes.has(node.id)).map((node) => node.id),
    missing_in_stored: given.nodes.filter((node) => !storedNodes.has(node.id)).map((node) => node.id),
    dependencies_differ: [],
  };
  for (const node of storedNodes.values()) {
    const other = givenNodes.get(node.id);
    if (other === undefined) continue;
    const [ours, theirs] = [dependencies(node), dependencies(other)];
    if (ours.length === theirs.length && ours.every((id, index) => id === theirs[index])) continue;
    difference.dependencies_differ.push({ node_id: node.id, stored: ours, given: theirs });
  }
  return Object.values(difference).every((list: unknown[]) => list.length === 0) ? null : difference;
}

function byId(spec: WorkflowSpec): Map<string, GraphNode> {
  return new Map(expandGroups(graphNodes(spec)).map((node) => [node.id, node]));
}

function dependencies(node: GraphNode): string[] {
  return [...new Set(node.dependencies)].sort();
}

/** The STRUCTURE_MISMATCH for a difference: its text lists it, `details` holds it. */
export function structureMismatch(workflowId: string, difference: StructureDifference): MaestroError {
  const { missing_in_given, missing_in_stored, dependencies_differ } = difference;
  const parts = [
    list('missing in the given workflow', missing_in_given),
    list('missing in the stored one', missing_in_stored),
    list(
      'different dependencies',
      dependencies_differ.map(({ node_id, stored, given }) => {
        return `${node_id} (stored: ${stored.join(', ') || 'none'}; given: ${given.join(', ') || 'none'})`;
      }),
    ),
  ].filter((part) => part !== '');
  const message = `the structure of workflow ${JSON.stringify(workflowId)} is not the one it was started with: ${parts.join('; ')}`;
  return new MaestroError('STRUCTURE_MISMATCH', message, { details: { ...difference } });
}

const SHOWN = 20;

function list(title: string, items: readonly string[]): string {
  if (items.length === 0) return '';
  const more = items.length > SHOWN ? ` and ${items.length - SHOWN} more` : '';
  return `${title}: ${items.slice(0, SHOWN).join(', ')}${more}`;
}
