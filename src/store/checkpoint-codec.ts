import type { EndedIteration, ReviewComment } from '../base/model.js';
import type { NodeRow, WorkflowRow } from '../engine/entries.js';
import { ByteReader } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';
import { BASE_VERSION, corrupt, FORMAT_VERSION, seal, unseal } from './envelope.js';
import { CHECKPOINT_CHUNK } from './types.js';
import {
  readError,
  readOptional,
  readResult,
  readVerdicts,
  readWait,
  writeError,
  writeOptional,
  writeResult,
  writeVerdicts,
  writeWait,
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
  return seal(
    key,
    writer.view(),
    rows.some((row) => hasMore(row) || row.iteration !== null) ? FORMAT_VERSION : BASE_VERSION,
  );
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

/** Bit of the first byte of a row: what it waits for, comments and contracts follow at its end. */
const MORE = 0x80;
/** Another one: after that follows the iteration that ended last. */
const ITERATION = 0x40;

function hasMore({ wait, comments, contracts }: NodeRow): boolean {
  return wait !== null || comments.length > 0 || contracts.length > 0;
}

function writeRow(w: ByteWriter, row: NodeRow): void {
  w.byte(row.leaf | (hasMore(row) ? MORE : 0) | (row.iteration === null ? 0 : ITERATION));
  w.varint(row.attempt);
  w.varint(row.run);
  w.number(row.startedAtMs);
  w.number(row.endedAtMs);
  w.number(row.wakeAtMs);
  writeResult(w, row.output, row.artifacts);
  writeOptional(w, row.error, (error) => writeError(w, error));
  writeOptional(w, row.condition, (condition) => w.string(condition));
  if (hasMore(row)) writeMore(w, row);
  if (row.iteration === null) return;
  w.varint(row.iteration.number);
  writeResult(w, row.iteration.output, []);
}

function writeMore(w: ByteWriter, { wait, comments, contracts }: NodeRow): void {
  writeOptional(w, wait, (open) => writeWait(w, open, (atMs) => w.number(atMs)));
  w.varint(comments.length);
  for (const { text, reviewer, atMs } of comments) {
    w.string(text);
    writeOptional(w, reviewer, (name) => w.string(name));
    w.number(atMs);
  }
  writeVerdicts(w, contracts);
}

function readRow(r: ByteReader): NodeRow {
  const [head, attempt, run] = [r.byte(), r.varint(), r.varint()];
  const leaf = head & ~(MORE | ITERATION);
  const [startedAtMs, endedAtMs, wakeAtMs] = [r.number(), r.number(), r.number()];
  const { output, artifacts } = readResult(r);
  const error = readOptional(r, () => readError(r)) ?? null;
  const condition = readOptional(r, () => r.string()) ?? null;
  const more = head & MORE ? readMore(r) : { wait: null, comments: [], contracts: [] };
  const iteration = head & ITERATION ? readIteration(r) : null;
  return {
    leaf,
    attempt,
    run,
    startedAtMs,
    endedAtMs,
    wakeAtMs,
    output,
    artifacts,
    error,
    condition,
    ...more,
    iteration,
  };
}

function readIteration(r: ByteReader): EndedIteration {
  const number = r.varint();
  const { output } = readResult(r);
  if (output === null) throw new RangeError('it has an iteration without an output');
  return { number, output };
}

function readMore(r: ByteReader): Pick<NodeRow, 'wait' | 'comments' | 'contracts'> {
  const wait = readOptional(r, () => readWait(r, () => r.number())) ?? null;
  const comments: ReviewComment[] = [];
  for (let left = r.varint(); left > 0; left--) {
    const text = r.string();
    const reviewer = readOptional(r, () => r.string()) ?? null;
    comments.push({ text, reviewer, atMs: r.number() });
  }
  return { wait, comments, contracts: readVerdicts(r) };
}
