import type { EdgeVerdict, Migrated } from '../../machines/events.js';
import type { ErrorDocument } from '../base/errors.js';
import { WAIT_KINDS, type ContractVerdict, type NodeOutput, type Wait } from '../base/model.js';
import type { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';

/** Output kinds, part of the stored format. */
const NO_OUTPUT = 0;
const NULL_TEXT = 1;
const TEXT = 2;
const LARGE = 3;
const HAS_ARTIFACTS = 4;

/** An output and artifacts: one byte when the output is JSON `null` (or absent) and there are no artifacts. */
export function writeResult(w: ByteWriter, output: NodeOutput | null, artifacts: readonly string[]): void {
  const kind =
    output === null ? NO_OUTPUT : output === 'null' ? NULL_TEXT : typeof output === 'string' ? TEXT : LARGE;
  w.byte(artifacts.length > 0 ? kind | HAS_ARTIFACTS : kind);
  if (kind === TEXT) w.string(output as string);
  else if (kind === LARGE) w.number((output as { sizeBytes: number }).sizeBytes);
  if (artifacts.length === 0) return;
  w.varint(artifacts.length);
  for (const path of artifacts) w.string(path);
}

export function readResult(r: ByteReader): { output: NodeOutput | null; artifacts: readonly string[] } {
  const shape = r.byte();
  if (shape > (LARGE | HAS_ARTIFACTS)) throw new RangeError(`it has an unknown output kind ${shape}`);
  const output = readOutput(r, shape & 3);
  const artifacts: string[] = [];
  if (shape & HAS_ARTIFACTS) for (let left = r.varint(); left > 0; left--) artifacts.push(r.string());
  return { output, artifacts };
}

function readOutput(r: ByteReader, kind: number): NodeOutput | null {
  if (kind === NO_OUTPUT) return null;
  if (kind === NULL_TEXT) return 'null';
  return kind === TEXT ? r.string() : { sizeBytes: r.number() };
}

/** Errors are rare and irregular: their JSON. */
export function writeError(w: ByteWriter, error: ErrorDocument): void {
  w.string(JSON.stringify(error));
}

export function readError(r: ByteReader): ErrorDocument {
  const value: unknown = JSON.parse(r.string());
  if (typeof value !== 'object' || value === null) throw new RangeError('it has an error that is no object');
  return value as ErrorDocument;
}

const EDGE_NOT_TAKEN = 0;
const EDGE_TAKEN = 1;
const EDGE_ERROR = 2;

export function writeEdgeVerdict(w: ByteWriter, verdict: EdgeVerdict): void {
  if (verdict.taken !== null) return w.byte(verdict.taken ? EDGE_TAKEN : EDGE_NOT_TAKEN);
  w.byte(EDGE_ERROR);
  writeError(w, verdict.error);
}

export function readEdgeVerdict(r: ByteReader): EdgeVerdict {
  const kind = r.byte();
  if (kind === EDGE_ERROR) return { taken: null, error: readError(r) };
  if (kind > EDGE_ERROR) throw new RangeError(`it has an unknown verdict on an edge: ${kind}`);
  return { taken: kind === EDGE_TAKEN };
}

/** Migrations, likewise. */
export function writeMigration(w: ByteWriter, { from, to, added, removed, changed }: Migrated): void {
  w.string(JSON.stringify({ from, to, added, removed, changed }));
}

export function readMigration(r: ByteReader): Migrated {
  const { from, to, added, removed, changed } = JSON.parse(r.string()) as Partial<Migrated>;
  if (typeof from !== 'string' || typeof to !== 'string' || ![added, removed, changed].every(isTexts))
    throw new RangeError('it has a migration that does not say what it is');
  return { from, to, added: added!, removed: removed!, changed: changed! };
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** Verdicts on contracts, likewise. */
export function writeVerdicts(w: ByteWriter, verdicts: readonly ContractVerdict[]): void {
  w.string(verdicts.length === 0 ? '' : JSON.stringify(verdicts));
}

export function readVerdicts(r: ByteReader): readonly ContractVerdict[] {
  const text = r.string();
  const value: unknown = text === '' ? [] : JSON.parse(text);
  if (!Array.isArray(value)) throw new RangeError('it has verdicts that are no list');
  return value as ContractVerdict[];
}

/** A value or nothing, which null and undefined both are. */
export function writeOptional<T>(
  w: ByteWriter,
  value: T | null | undefined,
  write: (value: T) => void,
): void {
  const present = value !== null && value !== undefined;
  w.byte(present ? 1 : 0);
  if (present) write(value);
}

export function readOptional<T>(r: ByteReader, read: () => T): T | undefined {
  return r.byte() === 0 ? undefined : read();
}

/** @param writeTime how the times around it are written */
export function writeWait(
  w: ByteWriter,
  { kind, signal, wakeAtMs }: Wait,
  writeTime: (atMs: number) => void,
): void {
  w.byte(WAIT_KINDS.indexOf(kind));
  writeOptional(w, signal, (name) => w.string(name));
  writeTime(wakeAtMs);
}

export function readWait(r: ByteReader, readTime: () => number): Wait {
  const kind = WAIT_KINDS[r.byte()];
  if (kind === undefined) throw new RangeError('it has an unknown kind of wait');
  const signal = readOptional(r, () => r.string()) ?? null;
  return { kind, signal, wakeAtMs: readTime() };
}
