import { isDeepStrictEqual } from 'node:util';
import { MaestroError } from '../base/errors.js';
import { isValidId } from '../base/ids.js';
import { WORKFLOW_STATUSES } from '../base/model.js';
import { WORKFLOW, type Entry } from '../engine/entries.js';
import type { WorkflowSpec } from '../spec/index.js';
import { decodeJournalRecord, encodeJournalRecord } from '../store/journal-codec.js';
import type { ExecutionRecord } from '../store/types.js';

/** Version of the export format. A release reads every version up to its own. */
export const SNAPSHOT_VERSION = 1;

/**
 * A line of an export. The file is NDJSON: a header, then definitions and executions, then a footer. What follows an
 * execution line belongs to that execution; a definition comes before the first execution that has it.
 */
export type SnapshotLine =
  | {
      readonly type: 'snapshot';
      readonly product: 'maestro-dag';
      readonly version: number;
      readonly created_at: string;
    }
  | { readonly type: 'definition'; readonly hash: string; readonly spec: WorkflowSpec }
  | { readonly type: 'execution'; readonly record: ExecutionRecord }
  /** The global context, as the JSON text that is stored. */
  | { readonly type: 'context'; readonly json: string }
  | { readonly type: 'journal'; readonly sequence: number; readonly entries: readonly Entry[] }
  /** An output too large for the journal, as JSON text. */
  | { readonly type: 'output'; readonly node: number; readonly run: number; readonly json: string }
  /** Any other row of the execution: its key after the execution's prefix, and its bytes in base64. */
  | { readonly type: 'row'; readonly row: string; readonly base64: string }
  | SnapshotEnd;

/** The footer: what the file must hold, and the SHA-256 of every byte before this line. */
export interface SnapshotEnd {
  readonly type: 'end';
  readonly executions: number;
  readonly definitions: number;
  readonly lines: number;
  readonly sha256: string;
}

type Shape = Readonly<Record<string, 'string' | 'number' | 'object'>>;

const SHAPES: Readonly<Record<SnapshotLine['type'], Shape>> = {
  snapshot: { product: 'string', version: 'number', created_at: 'string' },
  definition: { hash: 'string', spec: 'object' },
  execution: { record: 'object' },
  context: { json: 'string' },
  journal: { sequence: 'number', entries: 'object' },
  output: { node: 'number', run: 'number', json: 'string' },
  row: { row: 'string', base64: 'string' },
  end: { executions: 'number', definitions: 'number', lines: 'number', sha256: 'string' },
};

const RECORD_SHAPE: Shape = {
  executionId: 'string',
  workflowId: 'string',
  workflowName: 'string',
  definitionHash: 'string',
  baseDir: 'string',
  mode: 'string',
  durability: 'string',
  nodeCount: 'number',
  status: 'string',
  createdAtMs: 'number',
  updatedAtMs: 'number',
  counts: 'object',
  options: 'object',
};

/** The text of a line, without its end. Keys are snake_case, as in every document. */
export function encodeLine(line: SnapshotLine): string {
  if (line.type === 'execution')
    return JSON.stringify({ type: line.type, record: renamed(line.record, snake) });
  if (line.type !== 'journal') return JSON.stringify(line);
  const entries = line.entries.map(({ event, ...rest }) => ({
    ...renamed(rest, snake),
    event: renamed(event, snake),
  }));
  return JSON.stringify({ ...line, entries });
}

/** @throws SNAPSHOT_CORRUPT naming the line, SNAPSHOT_VERSION */
export function decodeLine(text: string, number: number): SnapshotLine {
  const line = parse(text, number);
  const type = line.type as SnapshotLine['type'];
  if (typeof type !== 'string' || !Object.hasOwn(SHAPES, type))
    throw damaged(number, 'it is of no known type');
  if (type === 'snapshot' && typeof line.version === 'number' && line.version > SNAPSHOT_VERSION) {
    throw new MaestroError(
      'SNAPSHOT_VERSION',
      `the export has version ${line.version}; this release reads up to ${SNAPSHOT_VERSION}`,
    );
  }
  demand(line, SHAPES[type], number);
  if (type === 'execution') return { type, record: recordOf(line.record as object, number) };
  if (type === 'journal')
    return { ...line, entries: entriesOf(line.entries, number) } as unknown as SnapshotLine;
  return line as unknown as SnapshotLine;
}

export function damaged(line: number, why: string, cause?: unknown): MaestroError {
  return new MaestroError('SNAPSHOT_CORRUPT', `line ${line} of the export is damaged: ${why}`, { cause });
}

function parse(text: string, number: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(number, 'it is not JSON', cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw damaged(number, 'it is no object');
  return value as Record<string, unknown>;
}

function demand(value: Record<string, unknown>, shape: Shape, number: number): void {
  for (const [key, kind] of Object.entries(shape)) {
    if (typeof value[key] !== kind || value[key] === null) throw damaged(number, `${key} is no ${kind}`);
  }
}

function recordOf(value: object, number: number): ExecutionRecord {
  const record = renamed(value, camel);
  demand(record, RECORD_SHAPE, number);
  const { executionId, workflowId, status } = record as unknown as ExecutionRecord;
  if (!isValidId(executionId) || !isValidId(workflowId)) throw damaged(number, 'it has an impossible id');
  if (!WORKFLOW_STATUSES.includes(status)) throw damaged(number, `there is no status ${status}`);
  return record as unknown as ExecutionRecord;
}

function entriesOf(value: unknown, number: number): Entry[] {
  if (!Array.isArray(value)) throw damaged(number, 'entries is no list');
  const entries = value.map((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) throw damaged(number, 'an entry is no object');
    const { event, ...rest } = renamed(entry, camel);
    if (typeof event !== 'object' || event === null) throw damaged(number, 'an entry has no event');
    if (!Number.isSafeInteger(rest.node) || Number(rest.node) < WORKFLOW)
      throw damaged(number, 'an entry has an impossible node');
    return { ...rest, event: renamed(event, camel) } as unknown as Entry;
  });
  assertStorable(entries, number);
  return entries;
}

/** What a journal does not give back as it was given never came from one. */
function assertStorable(entries: readonly Entry[], number: number): void {
  let stored: readonly Entry[];
  try {
    stored = decodeJournalRecord('', encodeJournalRecord('', { sequence: 0, entries })).entries;
  } catch (cause) {
    throw damaged(number, 'it has an entry that no journal can have', cause);
  }
  if (!isDeepStrictEqual(stored, entries))
    throw damaged(number, 'it has an entry with more or less than belongs to it');
}

/** The same values under renamed keys; what they hold is left as it is. */
function renamed(value: object, rename: (key: string) => string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [rename(key), each as unknown]));
}

const snake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const camel = (key: string): string => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
