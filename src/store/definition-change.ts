import type { WorkflowSpec } from '../spec/types.js';
import { checkpointOps } from './checkpoint.js';
import { encodeDefinition } from './definition-codec.js';
import { encodeJournalRecord } from './journal-codec.js';
import { chunkKey, chunkPrefix, definitionKey, journalKey, under } from './keys.js';
import type { Kv, KvOp } from './kv.js';
import { renumberingOps } from './renumbering.js';
import type { Checkpoint, JournalRecord } from './types.js';

/** An execution goes on under another definition: all that is stored by node gets the numbers of that one. */
export interface DefinitionChange {
  readonly spec: WorkflowSpec;
  /** What tells of the change, and what the change makes of nodes. */
  readonly journal: JournalRecord;
  /** Of every node, right after that. */
  readonly checkpoint: Checkpoint;
  /** The number that a node has from now on; undefined: it is not there any more. */
  readonly numberOf: (node: number) => number | undefined;
}

/** @throws RECORD_CORRUPT when a row that moves is damaged */
export async function definitionChangeOps(
  kv: Kv,
  executionId: string,
  definitionHash: string,
  { spec, journal, checkpoint, numberOf }: DefinitionChange,
): Promise<KvOp[]> {
  const key = journalKey(executionId, journal.sequence);
  const ops = [
    putDefinition(definitionHash, spec),
    { op: 'put', key, value: encodeJournalRecord(key, journal) } as const,
    ...checkpointOps(executionId, checkpoint),
    ...(await renumberingOps(kv, executionId, numberOf)),
  ];
  const { end } = under(chunkPrefix(executionId));
  const start = chunkKey(executionId, checkpoint.chunks.size);
  for await (const chunk of kv.keys({ start, end })) ops.push({ op: 'del', key: chunk });
  return ops;
}

export function putDefinition(hash: string, spec: WorkflowSpec): KvOp {
  const key = definitionKey(hash);
  return { op: 'put', key, value: encodeDefinition(key, spec) };
}
