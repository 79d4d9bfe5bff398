import { MaestroError } from '../base/errors.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';
import type { WorkflowSpec } from '../spec/index.js';

/** One change of an execution's definition. Document form: it is kept with its options. */
export interface Migration {
  /** Hashes. */
  readonly from: string;
  readonly to: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

type Migrated = Pick<ExecutionRecord, 'definitionHash' | 'options'>;

/** The changes of definition that an execution has been through, oldest first. */
export function migrationsOf({ options }: Pick<ExecutionRecord, 'options'>): readonly Migration[] {
  const { migrations } = options as { migrations?: readonly Migration[] };
  // An import may say anything.
  return Array.isArray(migrations) ? (migrations as readonly Migration[]) : [];
}

/** Hashes of the definitions that the journal of an execution is in terms of, oldest first; the last one holds now. */
export function definitionsOf(record: Migrated): readonly string[] {
  return [...migrationsOf(record).map(({ from }) => from), record.definitionHash];
}

/** A definition that the journal of an execution needs. @throws RECORD_CORRUPT when it is lost */
export async function definitionAt(
  store: ExecutionStore,
  executionId: string,
  hash: string,
): Promise<WorkflowSpec> {
  const spec = await store.getDefinition(hash);
  if (spec !== undefined) return spec;
  const what = `definition ${hash}, which execution ${executionId} had before it was migrated, is missing`;
  throw new MaestroError('RECORD_CORRUPT', what);
}
