import { isMaestroError } from '../base/errors.js';
import { compileJsonSchema, type ValueCheck } from '../policy/json-schema.js';
import { isRecord, type Draft, type DraftNode } from './draft.js';
import type { Findings, Path } from './findings.js';
import { WAIT_KEYS } from './waits.js';

/** What only an attempt that executes something can have. */
const OF_ATTEMPTS = ['timeout_seconds', 'heartbeat_timeout_seconds', 'cache'] as const;

/** Checks that nodes that wait do so for one thing, in a way that can end, and that their schemas and defaults fit. */
export function checkWaits(draft: Draft, findings: Findings): void {
  for (const node of draft.nodes) {
    const keys = waitKeysOf(node);
    if (keys.length === 0 && node.fields.type !== 'human_review') continue;
    checkKinds(node, keys, findings);
    checkAttemptFields(node, findings);
    checkMoment(node, findings);
    for (const key of ['review', 'wait_for'] as const) {
      const fields = node.fields[key];
      if (isRecord(fields)) checkAnswer(node, key, fields, findings);
    }
  }
}

function waitKeysOf(node: DraftNode): string[] {
  return WAIT_KEYS.filter((key) => node.fields[key] !== undefined);
}

/** What a node waits for, as messages name it; null when it executes something. */
export function waitNameOf(node: DraftNode): string | null {
  if (node.fields.type === 'human_review') return 'a human_review';
  const [key] = waitKeysOf(node);
  return key === undefined ? null : `"${key}"`;
}

function checkKinds(node: DraftNode, keys: readonly string[], findings: Findings): void {
  const isReview = node.fields.type === 'human_review';
  const misplaced = keys.filter((key) => (key === 'review') !== isReview);
  if (isReview && misplaced.length > 0) {
    const [key] = misplaced;
    const message = `node ${name(node)} is a human_review and has "${key}": it can wait for one of them only`;
    findings.error('TWO_WAITS', at(node, key), message, node.id);
  } else if (!isReview && keys.includes('review')) {
    const message = `node ${name(node)} has "review", but its type is not human_review`;
    findings.error('BAD_WAIT', at(node, 'review'), message, node.id);
  } else if (keys.length > 1) {
    const message = `node ${name(node)} has ${keys.map((key) => `"${key}"`).join(' and ')}: it can wait for one of them only`;
    findings.error('TWO_WAITS', at(node, keys[1]), message, node.id);
  }
}

function checkAttemptFields(node: DraftNode, findings: Findings): void {
  for (const key of OF_ATTEMPTS) {
    if (node.fields[key] === undefined) continue;
    const message = `node ${name(node)} waits and executes nothing: "${key}" would have no effect; use "deadline_seconds" or "total_timeout_seconds"`;
    findings.error('BAD_WAIT', at(node, key), message, node.id);
  }
  if (node.fields.retry_policy === undefined) return;
  const message = `node ${name(node)} waits and executes nothing: its "retry_policy" has no effect`;
  findings.warning('UNUSED_RETRY', at(node, 'retry_policy'), message, node.id);
}

/** The schema checks the form; the calendar has fewer days. */
function checkMoment(node: DraftNode, findings: Findings): void {
  const { wait_until } = node.fields;
  if (!isRecord(wait_until) || typeof wait_until.time !== 'string') return;
  if (!Number.isNaN(Date.parse(wait_until.time))) return;
  const message = `node ${name(node)}: ${JSON.stringify(wait_until.time)} is no time`;
  findings.error('BAD_WAIT', [...at(node, 'wait_until'), 'time'], message, node.id);
}

function checkAnswer(
  node: DraftNode,
  key: 'review' | 'wait_for',
  fields: Record<string, unknown>,
  findings: Findings,
): void {
  const hasDefault = 'default' in fields;
  if (hasDefault && fields.deadline_seconds === undefined) {
    const message = `node ${name(node)} has a default but no "deadline_seconds": it would never be taken`;
    findings.error('BAD_WAIT', [...at(node, key), 'default'], message, node.id);
  }
  const schemaKey = key === 'review' ? 'response_schema' : 'schema';
  const schema = fields[schemaKey];
  if (!isRecord(schema)) return;
  const check = compiled(node, schema, [...at(node, key), schemaKey], findings);
  if (check === undefined || !hasDefault) return;
  const { default: fallback } = fields;
  const rejects = isRecord(fallback) && fallback.decision === 'reject';
  if (key === 'review' && rejects && fallback.response === undefined) return;
  const value = key === 'review' ? ((isRecord(fallback) ? fallback.response : undefined) ?? null) : fallback;
  for (const problem of check(value)) {
    const message = `node ${name(node)}: its default does not fit its ${schemaKey}: ${problem.message}`;
    findings.error('BAD_WAIT', [...at(node, key), 'default'], message, node.id);
  }
}

function compiled(
  node: DraftNode,
  schema: Record<string, unknown>,
  path: Path,
  findings: Findings,
): ValueCheck | undefined {
  try {
    return compileJsonSchema(schema);
  } catch (error) {
    if (!isMaestroError(error)) throw error;
    findings.error('BAD_SCHEMA', path, `node ${name(node)}: its schema ${error.message}`, node.id);
    return undefined;
  }
}

function at(node: DraftNode, key: string): Path {
  return ['nodes', node.index, key];
}

function name(node: DraftNode): string {
  return JSON.stringify(node.id);
}
