import type { NodeRow, WorkflowRow } from '../engine/entries.js';
import { ByteReader } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';
import { corrupt, seal, unseal } from './envelope.js';
import { CHECKPOINT_CHUNK } from './types.js';
import {
  readError,
  readOptional,
  readResult,
  writeError,
  writeOptional,
  writeResult,
} from './value-codec.js';

/** The row of a checkpoint that its chunks belong to; plain JSON. */
export interface CheckpointHeader {
  readonly nextSequence: number;
  readonly workflow: WorkflowRow;
}

const writer = new ByteWriter();

/** The stored value of one chunk: number of rows, rows. */
export function encodeChunk(key: string, rows: readonly NodeRow[]): Uint8Array {
  writer.reset();
  writer.varint(rows.length);
  for (const row of rows) writeRow(writer, row);
  return seal(key, writer.view());
}

/** @throws MaestroError RECORD_CORRUPT, STORE_VERSION */
export function decodeChunk(key: string, bytes: Uint8Array): NodeRow[] {
  const r = new ByteReader(unseal(key, bytes));
  try {
    const count = r.varint();
    if (count > CHECKPOINT_CHUNK) throw new RangeError(`it claims ${count} nodes`);
    const rows = Array.from({ length: count }, () => readRow(r));
    if (r.remaining > 0) throw new RangeError(`it has ${r.remaining} bytes too many`);
    return rows;
  } catch (error) {
    throw corrupt(key, (error as Error).message, error);
  }
}

function writeRow(w: ByteWriter, row: NodeRow): void {
  w.byte(row.leaf);
  w.varint(row.attempt);
  w.varint(row.run);
  w.number(row.startedAtMs);
  w.number(row.endedAtMs);
  w.number(row.wakeAtMs);
  writeResult(w, row.output, row.artifacts);
  writeOptional(w, row.error, (error) => writeError(w, error));
  writeOptional(w, row.condition, (condition) => w.string(condition));
}

function readRow(r: ByteReader): NodeRow {
  const [leaf, attempt, run] = [r.byte(), r.varint(), r.varint()];
  const [startedAtMs, endedAtMs, wakeAtMs] = [r.number(), r.number(), r.number()];
  const { output, artifacts } = readResult(r);
  const error = readOptional(r, () => readError(r)) ?? null;
  const condition = readOptional(r, () => r.string()) ?? null;
  return { leaf, attempt, run, startedAtMs, endedAtMs, wakeAtMs, output, artifacts, error, condition };
}
