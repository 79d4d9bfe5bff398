import type { NodeRow, WorkflowRow } from '../engine/entries.js';
import { decodeChunk, encodeChunk, type CheckpointHeader } from './checkpoint-codec.js';
import { BASE_VERSION, corrupt, FORMAT_VERSION, sealJson, unsealJson } from './envelope.js';
import { checkpointKey, chunkKey, chunkPrefix, lastNumber, under } from './keys.js';
import type { Kv, KvOp } from './kv.js';
import type { Checkpoint } from './types.js';

/** What releases that read only the first version of the format know; they would leave out anything else. */
const BASE_KEYS: ReadonlySet<string> = new Set<keyof WorkflowRow>([
  'leaf',
  'startedAtMs',
  'endedAtMs',
  'failedNode',
  'error',
]);

/**
 * Ops that store the header and the chunks given. Chunks left out keep what an earlier checkpoint stored: the
 * caller gives those that changed since.
 */
export function checkpointOps(executionId: string, checkpoint: Checkpoint): KvOp[] {
  const { nextSequence, workflow } = checkpoint;
  const headerKey = checkpointKey(executionId);
  const header: CheckpointHeader = { nextSequence, workflow };
  const isNewer = Object.entries(workflow).some(([key, value]) => value !== undefined && !BASE_KEYS.has(key));
  const version = isNewer ? FORMAT_VERSION : BASE_VERSION;
  const ops: KvOp[] = [{ op: 'put', key: headerKey, value: sealJson(headerKey, header, version) }];
  for (const [chunk, rows] of checkpoint.chunks) {
    const key = chunkKey(executionId, chunk);
    ops.push({ op: 'put', key, value: encodeChunk(key, rows) });
  }
  return ops;
}

/** The newest checkpoint with all its chunks; null when there is none. @throws RECORD_CORRUPT, STORE_VERSION */
export async function loadCheckpoint(kv: Kv, executionId: string): Promise<Checkpoint | null> {
  let header = await readHeader(kv, executionId);
  while (header !== null) {
    const chunks = new Map<number, readonly NodeRow[]>();
    for await (const { key, value } of kv.scan(under(chunkPrefix(executionId))))
      chunks.set(chunkNumber(key), decodeChunk(key, value));
    // Whoever runs the execution may have written the next one since: its chunks do not go with this header.
    const again = await readHeader(kv, executionId);
    if (again?.nextSequence === header.nextSequence) return { ...header, chunks };
    header = again;
  }
  return null;
}

async function readHeader(kv: Kv, executionId: string): Promise<CheckpointHeader | null> {
  const key = checkpointKey(executionId);
  const bytes = await kv.get(key);
  if (!bytes) return null;
  const { nextSequence, workflow } = unsealJson(key, bytes) as CheckpointHeader;
  return { nextSequence, workflow };
}

function chunkNumber(key: string): number {
  try {
    return lastNumber(key);
  } catch (error) {
    throw corrupt(key, (error as Error).message, error);
  }
}
