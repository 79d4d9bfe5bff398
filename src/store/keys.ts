import type { WorkflowStatus } from '../base/model.js';
import type { InboxRequest } from './types.js';

/*
 * The key layout. `/` separates parts and occurs in no id; numbers are hexadecimal of a fixed width, so that keys
 * sort as the numbers do. Times are whole epoch milliseconds.
 *
 *   m/format                                    marker: this is a store, and of which format
 *   d/<hash>                                    definition, once for all executions that have it
 *   x/<execution>/r                             execution record
 *   x/<execution>/g                             global context
 *   x/<execution>/j/<sequence>                  journal record
 *   x/<execution>/c                             checkpoint header
 *   x/<execution>/k/<chunk>                     checkpoint chunk
 *   x/<execution>/o/<node>/<run>                output too large for the journal
 *   x/<execution>/h/<node>/<attempt>            execution that this attempt of a node has started: its id
 *   x/<execution>/l/<node>/<run>/<attempt>/<time> what an attempt of a step wrote
 *   s/<status>/<created>/<execution>            index, no value
 *   w/<workflow>/<status>/<created>/<execution> index, no value
 *   t/<execution>                               deletion under way
 *   p/<owner>                                   owner (process)
 *   f/<owner>                                   fence: this owner was taken for dead, it commits nothing more
 *   q/<created>/<request>                       inbox
 *   c/<workflow>                                schedule
 *   u/<queue>                                   size of a queue, as it was set for all processes
 *   h/<hash>                                    result of a step, kept for others like it
 *   y/<owner>                                   this owner's log of commits, and how far it is in the store
 */
export const MARKER_KEY = 'm/format';
export const OWNERS = 'p/';
export const FENCES = 'f/';
export const INBOX = 'q/';
export const DELETIONS = 't/';
export const SCHEDULES = 'c/';
export const CACHED = 'h/';
export const QUEUES = 'u/';
export const LOGS = 'y/';
export const DEFINITIONS = 'd/';
/** Of an execution: how its rows begin that name its children. */
export const CHILD_ROWS = 'h/';
export const INDEXES = ['s/', 'w/'] as const;

const TIME_DIGITS = 12;
const SEQUENCE_DIGITS = 12;
const NODE_DIGITS = 8;
const MAX_TIME = 2 ** 48 - 1;

export const queueKey = (queue: string): string => `${QUEUES}${queue}`;
export const cachedKey = (hash: string): string => `${CACHED}${hash}`;
export const definitionKey = (hash: string): string => `${DEFINITIONS}${hash}`;
export const executionPrefix = (id: string): string => `x/${id}/`;
export const recordKey = (id: string): string => `x/${id}/r`;
export const contextKey = (id: string): string => `x/${id}/g`;
export const journalPrefix = (id: string): string => `x/${id}/j/`;
export const journalKey = (id: string, sequence: number): string =>
  journalPrefix(id) + hex(sequence, SEQUENCE_DIGITS);
export const checkpointKey = (id: string): string => `x/${id}/c`;
export const chunkPrefix = (id: string): string => `x/${id}/k/`;
export const chunkKey = (id: string, chunk: number): string => chunkPrefix(id) + hex(chunk, NODE_DIGITS);
export const outputKey = (id: string, node: number, run: number): string =>
  `x/${id}/o/${hex(node, NODE_DIGITS)}/${hex(run, NODE_DIGITS)}`;
export const outputsPrefix = (id: string): string => `x/${id}/o/`;
export const childrenPrefix = (id: string): string => `x/${id}/${CHILD_ROWS}`;
export const childRowOf = (node: number, key: string): string =>
  `${CHILD_ROWS}${hex(node, NODE_DIGITS)}/${key}`;
export const logsPrefix = (id: string, node?: number): string =>
  node === undefined ? `x/${id}/l/` : `x/${id}/l/${hex(node, NODE_DIGITS)}/`;
export const logKey = (
  id: string,
  log: { readonly node: number; readonly run: number; readonly attempt: number; readonly beganMs: number },
): string =>
  `${logsPrefix(id, log.node)}${hex(log.run, NODE_DIGITS)}/${hex(log.attempt, NODE_DIGITS)}/${hexTime(log.beganMs)}`;
export const artifactsPrefix = (id: string): string => `x/${id}/a/`;
export const artifactsKey = (id: string, node: number, run: number): string =>
  `${artifactsPrefix(id)}${hex(node, NODE_DIGITS)}/${hex(run, NODE_DIGITS)}`;
export const scheduleKey = (workflowId: string): string => `${SCHEDULES}${workflowId}`;
export const deletionKey = (id: string): string => `${DELETIONS}${id}`;
export const ownerKey = (ownerId: string): string => `${OWNERS}${ownerId}`;
export const fenceKey = (ownerId: string): string => `${FENCES}${ownerId}`;
export const logRowKey = (ownerId: string): string => `${LOGS}${ownerId}`;
export const requestKey = ({ createdAtMs, requestId }: InboxRequest): string =>
  `${INBOX}${hexTime(createdAtMs)}/${requestId}`;
export const statusPrefix = (status: WorkflowStatus): string => `s/${status}/`;
export const workflowPrefix = (workflowId: string, status: WorkflowStatus): string =>
  `w/${workflowId}/${status}/`;

/** The last part of a key that ends in a fixed-width number. @throws RangeError */
export function lastNumber(key: string): number {
  const digits = key.slice(key.lastIndexOf('/') + 1);
  if (!/^[0-9a-f]+$/.test(digits)) throw new RangeError('its key does not end in a number');
  return Number.parseInt(digits, 16);
}

/** The numbers that the parts of a key's end are. @throws RangeError */
export function numbersOf(parts: string): number[] {
  return parts.split('/').map(lastNumber);
}

/** Node and run of an output's key. @throws RangeError */
export function outputOf(key: string): { node: number; run: number } {
  return { node: lastNumber(key.slice(0, key.lastIndexOf('/'))), run: lastNumber(key) };
}

/** Of a row that is kept by node: its node, and what comes after that. @throws RangeError */
export function nodeOfRow(key: string, prefix: string): { node: number; rest: string } {
  const end = prefix.length + NODE_DIGITS;
  return { node: lastNumber(key.slice(0, end)), rest: key.slice(end) };
}

/** The key of the same row of another node. */
export const rowOfNode = (prefix: string, node: number, rest: string): string =>
  `${prefix}${hex(node, NODE_DIGITS)}${rest}`;

/** The range of all keys that start with `prefix`, which ends in `/`. */
export function under(prefix: string): { start: string; end: string } {
  return { start: prefix, end: `${prefix.slice(0, -1)}0` };
}

/** Epoch milliseconds as they stand in keys; clamped to what 48 bits hold. */
export function hexTime(atMs: number): string {
  return hex(Math.min(Math.max(0, Math.floor(atMs)), MAX_TIME), TIME_DIGITS);
}

const ZEROS = '0'.repeat(16);

/** `padStart` makes a string of its own to pad with, for every key. */
function hex(value: number, digits: number): string {
  const text = value.toString(16);
  return text.length < digits ? ZEROS.slice(text.length - digits) + text : text;
}

/** Rows that only the owner of an execution writes, and that nobody else needs to see at once: journal to artifacts. */
const PROGRESS = new Set('jcklao');

/** Whether a row tells how far an execution is, rather than that it exists, who has it or how it ended. */
export function isProgress(key: string): boolean {
  return key.startsWith('x/') && PROGRESS.has(key.charAt(key.indexOf('/', 2) + 1));
}
