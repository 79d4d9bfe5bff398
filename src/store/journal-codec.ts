import {
  NODE_EVENT_TYPES,
  WORKFLOW_EVENT_TYPES,
  type Ending,
  type NodeEvent,
  type WorkflowEvent,
} from '../../machines/events.js';
import { invariant } from '../base/assert.js';
import { MaestroError } from '../base/errors.js';
import { WAIT_ENDS } from '../base/model.js';
import { WORKFLOW, isWorkflowEntry, type Entry } from '../engine/entries.js';
import { ByteReader } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';
import { BASE_VERSION, corrupt, FORMAT_VERSION, seal, unseal } from './envelope.js';
import type { JournalRecord } from './types.js';
import {
  readEdgeVerdict,
  readError,
  readMigration,
  readOptional,
  readResult,
  readVerdicts,
  readWait,
  writeEdgeVerdict,
  writeError,
  writeMigration,
  writeOptional,
  writeResult,
  writeVerdicts,
  writeWait,
} from './value-codec.js';

/*
 * A journal record is: sequence, number of entries, entries. An entry starts with one byte:
 *   bits 0-4  event code: the index in NODE_EVENT_TYPES or WORKFLOW_EVENT_TYPES
 *   bit 5     the entry is the workflow's
 *   bit 6     same time as the entry before
 *   bit 7     same node as the node entry before
 * then the node index unless bits 5 or 7 are set, the time unless bit 6 is set, then what the event carries.
 */
const CODE_MASK = 0x1f;
const OF_WORKFLOW = 0x20;
const SAME_TIME = 0x40;
const SAME_NODE = 0x80;

const NODE_CODES = codesOf(NODE_EVENT_TYPES);
const WORKFLOW_CODES = codesOf(WORKFLOW_EVENT_TYPES);
const RECOVERY_REASONS = ['process', 'worker', 'halted'] as const;
/** What releases that read only the first version of the format do not know, or would take otherwise. */
const NEWER_NODE_EVENTS: ReadonlySet<NodeEvent['type']> = new Set([
  'waitStarted',
  'waitEnded',
  'commented',
  'edgeEvaluated',
  'iterationEnded',
  'timedOut',
  'cacheHit',
  'contractsChecked',
]);
const NEWER_WORKFLOW_EVENTS: ReadonlySet<WorkflowEvent['type']> = new Set([
  'signalReceived',
  'rerunRequested',
  'groupRestarted',
  'compensationStarted',
  'mapExpanded',
  'migrated',
]);

const IS_NEWER_NODE_CODE = NODE_EVENT_TYPES.map((type) => NEWER_NODE_EVENTS.has(type));
const IS_NEWER_WORKFLOW_CODE = WORKFLOW_EVENT_TYPES.map((type) => NEWER_WORKFLOW_EVENTS.has(type));

const writer = new ByteWriter();

/** The stored value of a journal record under `key`. */
export function encodeJournalRecord(key: string, record: JournalRecord): Uint8Array {
  writer.reset();
  writer.varint(record.sequence);
  writer.varint(record.entries.length);
  const times = new TimeBase();
  let node = 0;
  let atMs = 0;
  let version = BASE_VERSION;
  for (const entry of record.entries) {
    const same = entry.atMs === atMs ? SAME_TIME : 0;
    if (isWorkflowEntry(entry)) {
      const code = codeOf(WORKFLOW_CODES, entry.event.type);
      if (IS_NEWER_WORKFLOW_CODE[code]) version = FORMAT_VERSION;
      writer.byte(OF_WORKFLOW | same | code);
    } else {
      const code = codeOf(NODE_CODES, entry.event.type);
      if (IS_NEWER_NODE_CODE[code]) version = FORMAT_VERSION;
      writer.byte(entry.node === node ? SAME_NODE | same | code : same | code);
      if (entry.node !== node) writer.varint((node = entry.node));
    }
    if (!same) times.write(writer, (atMs = entry.atMs));
    if (isWorkflowEntry(entry)) writeWorkflowEvent(writer, entry.event);
    else writeNodeEvent(writer, entry.event, times);
  }
  return seal(key, writer.view(), version);
}

/** @throws MaestroError RECORD_CORRUPT, STORE_VERSION */
export function decodeJournalRecord(key: string, bytes: Uint8Array): JournalRecord {
  const r = new ByteReader(unseal(key, bytes));
  try {
    const sequence = r.varint();
    const count = r.varint();
    const entries = readEntries(r, count);
    if (r.remaining > 0) throw new RangeError(`it has ${r.remaining} bytes too many`);
    return { sequence, entries };
  } catch (error) {
    throw corrupt(key, (error as Error).message, error);
  }
}

function readEntries(r: ByteReader, count: number): Entry[] {
  const entries: Entry[] = [];
  const times = new TimeBase();
  let node = 0;
  let atMs = 0;
  for (let i = 0; i < count; i++) {
    const head = r.byte();
    const code = head & CODE_MASK;
    if (!(head & (OF_WORKFLOW | SAME_NODE))) node = r.varint();
    if (!(head & SAME_TIME)) atMs = times.read(r);
    if (head & OF_WORKFLOW) entries.push({ node: WORKFLOW, event: readWorkflowEvent(r, code), atMs });
    else entries.push({ node, event: readNodeEvent(r, code, times), atMs });
  }
  return entries;
}

/** Whole milliseconds are stored as differences; a fraction (from an injected clock) as it is. */
class TimeBase {
  private base = 0;

  write(w: ByteWriter, atMs: number): void {
    if (!Number.isInteger(atMs)) return w.number(atMs);
    w.number(atMs - this.base);
    this.base = atMs;
  }

  read(r: ByteReader): number {
    const stored = r.number();
    if (!Number.isInteger(stored)) return stored;
    this.base += stored;
    return this.base;
  }
}

/** The usual ones apart: a function that makes closures pays for them on every call. */
function writeNodeEvent(w: ByteWriter, event: NodeEvent, times: TimeBase): void {
  if (event.type === 'dependenciesMet' || event.type === 'attemptStarted') return;
  if (event.type !== 'attemptSucceeded') return writeRareNodeEvent(w, event, times);
  w.number(event.durationMs);
  writeResult(w, event.output, event.artifacts);
}

function writeRareNodeEvent(w: ByteWriter, event: NodeEvent, times: TimeBase): void {
  switch (event.type) {
    case 'attemptFailed':
      w.number(event.durationMs);
      writeOptional(w, event.retryAtMs, (atMs) => times.write(w, atMs));
      return writeError(w, event.error);
    case 'dependencyFailed':
      return w.number(event.by);
    case 'conditionNotMet':
      return w.string(event.condition);
    case 'recovered':
      return w.byte(RECOVERY_REASONS.indexOf(event.reason));
    case 'waitStarted':
      return writeWait(w, event, (atMs) => times.write(w, atMs));
    case 'waitEnded':
      return w.byte(WAIT_ENDS.indexOf(event.by));
    case 'iterationEnded':
      w.number(event.durationMs);
      writeOptional(w, event.nextAtMs, (atMs) => times.write(w, atMs));
      return writeResult(w, event.output, []);
    case 'commented':
      w.string(event.text);
      return writeOptional(w, event.reviewer, (reviewer) => w.string(reviewer));
    case 'edgeEvaluated':
      w.varint(event.from);
      return writeEdgeVerdict(w, event.verdict);
    case 'timedOut':
      return writeError(w, event.error);
    case 'cacheHit':
      return w.string(event.hash);
    case 'contractsChecked':
      return writeVerdicts(w, event.verdicts);
    default:
      return;
  }
}

function readNodeEvent(r: ByteReader, code: number, times: TimeBase): NodeEvent {
  const type = NODE_EVENT_TYPES[code];
  switch (type) {
    case undefined:
      throw new RangeError(`it has an unknown event code ${code}`);
    case 'attemptSucceeded':
      return readSuccess(r);
    case 'attemptFailed': {
      const durationMs = r.number();
      const retryAtMs = readOptional(r, () => times.read(r));
      const error = readError(r);
      return retryAtMs === undefined ? { type, error, durationMs } : { type, error, durationMs, retryAtMs };
    }
    case 'dependencyFailed':
      return { type, by: r.number() };
    case 'conditionNotMet':
      return { type, condition: r.string() };
    case 'recovered':
      return { type, reason: readChoice(r, RECOVERY_REASONS, 'reason of recovery') };
    case 'waitStarted':
      return { type, ...readWait(r, () => times.read(r)) };
    case 'waitEnded':
      return { type, by: readChoice(r, WAIT_ENDS, 'end of a wait') };
    case 'iterationEnded': {
      const durationMs = r.number();
      const nextAtMs = readOptional(r, () => times.read(r));
      const { output } = readResult(r);
      if (output === null) throw new RangeError('it has an iteration without an output');
      return { type, output, durationMs, ...(nextAtMs !== undefined && { nextAtMs }) };
    }
    case 'commented':
      return { type, text: r.string(), reviewer: readOptional(r, () => r.string()) ?? null };
    case 'edgeEvaluated':
      return { type, from: r.varint(), verdict: readEdgeVerdict(r) };
    case 'timedOut':
      return { type, error: readError(r) };
    case 'cacheHit':
      return { type, hash: r.string() };
    case 'contractsChecked': {
      const verdicts = readVerdicts(r);
      if (verdicts.length === 0) throw new RangeError('it has a check of no contracts');
      return { type, verdicts };
    }
    default:
      return { type };
  }
}

function readChoice<T>(r: ByteReader, choices: readonly T[], what: string): T {
  const choice = choices[r.byte()];
  if (choice === undefined) throw new RangeError(`it has an unknown ${what}`);
  return choice;
}

function readSuccess(r: ByteReader): NodeEvent {
  const durationMs = r.number();
  const { output, artifacts } = readResult(r);
  if (output === null) throw new RangeError('it has a success without an output');
  return { type: 'attemptSucceeded', output, artifacts, durationMs };
}

function writeWorkflowEvent(w: ByteWriter, event: WorkflowEvent): void {
  if (event.type === 'nodeFailedForGood') {
    w.number(event.node);
    writeError(w, event.error);
  } else if (event.type === 'rerunRequested') {
    w.number(event.node);
    w.byte(event.cascade ? 1 : 0);
    w.varint(event.standing);
    w.varint(event.nodes.length);
    for (const node of event.nodes) w.varint(node);
  } else if (event.type === 'groupRestarted') {
    w.varint(event.group);
    w.varint(event.node);
  } else if (event.type === 'mapExpanded') {
    w.varint(event.node);
    w.varint(event.run);
    w.varint(event.items);
    w.string(event.digest);
  } else if (event.type === 'migrated') writeMigration(w, event);
  else if (event.type === 'compensationStarted') w.string(JSON.stringify(event.ending));
  else if (event.type === 'abandoned') writeError(w, event.error);
  else if (event.type === 'cancelRequested') writeOptional(w, event.reason, (reason) => w.string(reason));
  else if (event.type === 'signalReceived') {
    w.string(event.name);
    w.string(event.payload);
    writeOptional(w, event.id, (id) => w.string(id));
  }
}

function readWorkflowEvent(r: ByteReader, code: number): WorkflowEvent {
  const type = WORKFLOW_EVENT_TYPES[code];
  switch (type) {
    case undefined:
      throw new RangeError(`it has an unknown workflow event code ${code}`);
    case 'nodeFailedForGood':
      return { type, node: r.number(), error: readError(r) };
    case 'abandoned':
      return { type, error: readError(r) };
    case 'rerunRequested': {
      const [node, cascade, standing, count] = [r.number(), r.byte() === 1, r.varint(), r.varint()];
      if (count > r.remaining) throw new RangeError(`it claims ${count} nodes`);
      return { type, node, cascade, standing, nodes: Array.from({ length: count }, () => r.varint()) };
    }
    case 'groupRestarted':
      return { type, group: r.varint(), node: r.varint() };
    case 'compensationStarted':
      return { type, ending: JSON.parse(r.string()) as Ending };
    case 'mapExpanded':
      return { type, node: r.varint(), run: r.varint(), items: r.varint(), digest: r.string() };
    case 'migrated':
      return { type, ...readMigration(r) };
    case 'cancelRequested': {
      const reason = readOptional(r, () => r.string());
      return reason === undefined ? { type } : { type, reason };
    }
    case 'signalReceived':
      return { type, name: r.string(), payload: r.string(), id: readOptional(r, () => r.string()) ?? null };
    default:
      return { type };
  }
}

function codesOf(types: readonly string[]): Map<string, number> {
  invariant(types.length <= CODE_MASK + 1, 'event codes no longer fit into 5 bits');
  return new Map(types.map((type, code) => [type, code]));
}

function codeOf(codes: ReadonlyMap<string, number>, type: string): number {
  const code = codes.get(type);
  // Not an invariant, whose text would be made for each entry.
  if (code === undefined) throw new MaestroError('INVARIANT', `an event of unknown type: ${type}`);
  return code;
}
