import { corrupt, sealJson, unsealJson } from './envelope.js';
import { logKey, logsPrefix, numbersOf, under } from './keys.js';
import type { Kv, KvOp } from './kv.js';

export type OutputStream = 'stdout' | 'stderr';

/** Text that a step wrote in one go, or nearly. */
export interface LogEntry {
  readonly stream: OutputStream;
  /** Epoch milliseconds. */
  readonly atMs: number;
  /** Characters that the attempt had written before it, to both streams; a gap to the entry before was cut. */
  readonly offset: number;
  readonly text: string;
}

/** What one attempt of a node wrote. */
export interface StepLog {
  readonly node: number;
  readonly run: number;
  readonly attempt: number;
  /** When it first wrote, epoch milliseconds: tells attempts apart that a crash gave the same number. */
  readonly beganMs: number;
  /** All that it wrote, also what was cut, in characters. */
  readonly writtenChars: number;
  readonly entries: readonly LogEntry[];
}

/** Entries are stored as lists: names would be repeated for each. */
type StoredEntry = readonly [stream: 0 | 1, atMs: number, offset: number, text: string];
interface StoredLog {
  readonly written: number;
  readonly entries: readonly StoredEntry[];
}

/** Writes the log of an attempt, over what was written of it before. */
export function putLog(executionId: string, log: StepLog): KvOp {
  const key = logKey(executionId, log);
  const entries = log.entries.map(({ stream, atMs, offset, text }): StoredEntry => {
    return [stream === 'stdout' ? 0 : 1, atMs, offset, text];
  });
  return { op: 'put', key, value: sealJson(key, { written: log.writtenChars, entries }) };
}

/**
 * The logs of an execution in the order of nodes, runs and attempts, each with its place.
 * @param range only those of one node, and only those after a place
 * @throws RECORD_CORRUPT
 */
export async function* readLogs(
  kv: Kv,
  executionId: string,
  range: { node?: number; after?: string } = {},
): AsyncGenerator<StepLog & { place: string }> {
  const prefix = logsPrefix(executionId);
  const { start, end } = under(logsPrefix(executionId, range.node));
  const after = range.after === undefined ? start : `${prefix}${range.after}0`;
  for await (const { key, value } of kv.scan({ start: after > start ? after : start, end })) {
    const place = key.slice(prefix.length);
    const [node, run, attempt, beganMs] = numbersOf(place);
    const { written, entries } = decode(key, value);
    yield { place, node, run, attempt, beganMs, writtenChars: written, entries: entries.map(entryOf) };
  }
}

function decode(key: string, value: Uint8Array): StoredLog {
  const log = unsealJson(key, value) as Partial<StoredLog> | null;
  if (typeof log?.written === 'number' && Array.isArray(log.entries)) return log as StoredLog;
  throw corrupt(key, 'it is no log');
}

function entryOf([stream, atMs, offset, text]: StoredEntry): LogEntry {
  return { stream: stream === 0 ? 'stdout' : 'stderr', atMs, offset, text };
}
