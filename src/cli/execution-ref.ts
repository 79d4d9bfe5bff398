import {
  MaestroError,
  type ExecutionDocument,
  type ExecutionRecord,
  type Runtime,
} from '../runtime/index.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const MIN_PREFIX = 4;
const CANDIDATES_SHOWN = 5;

/**
 * The execution a person means: a whole id, a unique beginning of one (4 characters or more), or `last` for the
 * newest that somebody started. A whole id beats a beginning; an execution beats those that its nodes started.
 * @throws EXECUTION_NOT_FOUND; USAGE when several executions begin so
 */
export async function resolveExecutionId(runtime: Runtime, ref: string): Promise<string> {
  if (UUID.test(ref)) return ref;
  if (ref === 'last') {
    for await (const record of allRecords(runtime))
      if (parentOf(record) === undefined) return record.executionId;
    throw new MaestroError('EXECUTION_NOT_FOUND', 'the store holds no executions');
  }
  const candidates: string[] = [];
  for await (const record of allRecords(runtime)) {
    const { executionId } = record;
    if (executionId === ref) return ref;
    if (executionId.startsWith(ref) && parentOf(record)?.startsWith(ref) !== true)
      candidates.push(executionId);
  }
  if (candidates.length === 1 && ref.length >= MIN_PREFIX) return candidates[0];
  if (candidates.length === 0) throw notFound(ref);
  throw ambiguous(ref, candidates);
}

/** The stored document of the execution a person means, with these items of maps. @throws as resolveExecutionId */
export async function findExecution(
  runtime: Runtime,
  ref: string,
  items: readonly string[] = [],
): Promise<ExecutionDocument> {
  const document = await runtime.get(await resolveExecutionId(runtime, ref), { items });
  if (document === undefined) throw notFound(ref);
  return document;
}

/** The execution whose node started this one. */
export function parentOf({ options }: ExecutionRecord): string | undefined {
  return (options as { parent?: { execution_id: string } }).parent?.execution_id;
}

/** Every record of a listing, page by page. */
export async function* allRecords(runtime: Runtime): AsyncIterable<ExecutionRecord> {
  let after: string | undefined;
  do {
    const page = await runtime.list({ limit: 1000, after });
    yield* page.records;
    after = page.next;
  } while (after !== undefined);
}

function notFound(ref: string): MaestroError {
  return new MaestroError('EXECUTION_NOT_FOUND', `no execution ${JSON.stringify(ref)} is stored`);
}

function ambiguous(ref: string, candidates: readonly string[]): MaestroError {
  const shown = candidates.slice(0, CANDIDATES_SHOWN).join(', ');
  const more =
    candidates.length > CANDIDATES_SHOWN ? `, and ${candidates.length - CANDIDATES_SHOWN} more` : '';
  const why = candidates.length === 1 ? 'is too short to name an execution' : 'could be several executions';
  return new MaestroError('USAGE', `${JSON.stringify(ref)} ${why}: ${shown}${more}`, {
    next: `Give more of the id (at least ${MIN_PREFIX} characters), or \`last\` for the newest.`,
  });
}
