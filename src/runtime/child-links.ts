import { childIdOf } from '../base/child-id.js';
import type { ActiveExecution } from '../supervisor/active-execution.js';
import type { ExecutionRecord } from '../store/types.js';

/** Which attempt of which node of which execution started another one. Document form: it is kept with its options. */
export interface ParentLink {
  readonly execution_id: string;
  readonly node_id: string;
  /** See `childKey`. */
  readonly key: string;
}

/** A subworkflow node of an execution here that waits for its child. */
export interface ChildLink {
  readonly parent: ActiveExecution;
  readonly node: number;
  readonly key: string;
  /** The child's. */
  readonly id: string;
}

export function linkOf(parent: ActiveExecution, node: number, key: string): ChildLink {
  return { parent, node, key, id: childIdOf(parent.id, parent.definition.plan.ids[node], key) };
}

/** Undefined for an execution that nobody but a user started. */
export function parentOf({ options }: Pick<ExecutionRecord, 'options'>): ParentLink | undefined {
  return (options as { parent?: ParentLink }).parent;
}

/** Whether this execution is the one that is meant, and not one of the same id that somebody else started. */
export function isChildOf(record: ExecutionRecord, link: ChildLink): boolean {
  const parent = parentOf(record);
  return parent?.execution_id === link.parent.id && parent.key === link.key;
}

/** As the child's record keeps it. */
export function parentLink({ parent, node, key }: ChildLink): ParentLink {
  return { execution_id: parent.id, node_id: parent.definition.plan.ids[node], key };
}
