import type { Colors } from 'picocolors/types.js';
import type { ErrorDocument, ExecutionDocument, NodeStateDocument, NodeStatus } from '../../runtime/index.js';
import { colorStatus } from '../format/status.js';
import {
  cleanLines,
  formatAgo,
  formatLocalTime,
  formatSeconds,
  formatTable,
  oneLine,
  truncate,
} from '../format/text.js';
import { formatCounts } from '../progress/frame.js';
import { contractsText, unmetContract } from './contract-text.js';
import { childText } from './child-text.js';
import { groupText, mapText } from './group-text.js';
import { continuation, countStatuses, durationOf, secondsOf } from './run-summary.js';
import { formatErrorDocument } from './summary-text.js';
import { repeatText } from './repeat-text.js';
import { queueText, waitText } from './wait-text.js';

export interface NodeTextOptions {
  readonly color: Colors;
  readonly nowMs: number;
  /** Stack traces. */
  readonly verbose: boolean;
}

export interface ExecutionTextOptions extends NodeTextOptions {
  /** Every node, however many. */
  readonly all: boolean;
  /** The command that goes on with it, as it must be typed. */
  readonly commandFor: (action: 'resume' | 'retry') => string;
}

const NODES_SHOWN = 60;
const NOTE_WIDTH = 80;

/** What needs attention comes first when not all nodes are shown. */
const URGENCY: readonly NodeStatus[] = [
  'failed',
  'running',
  'blocked',
  'cancelled',
  'ready',
  'pending',
  'completed',
  'skipped',
];

/** An execution for people: facts, error, a table of nodes. */
export function formatExecution(document: ExecutionDocument, options: ExecutionTextOptions): string {
  const { color } = options;
  const states = Object.values(document.node_states);
  const facts = formatTable(
    factsOf(document, states, options).map(([name, value]) => [color.dim(name), value]),
  );
  const lines = [...facts];
  if (document.error !== null) {
    const where = document.failed_node === null ? 'error' : `node ${oneLine(document.failed_node)} failed`;
    const error = formatErrorDocument(document.error, color, options.verbose);
    lines.push('', `${color.red('✗')} ${where}`, ...error.map((line) => `    ${line}`));
  }
  if (document.compensation !== undefined) lines.push('', ...compensationLines(document.compensation, color));
  lines.push('', ...nodeTable(states, options));
  return lines.join('\n');
}

/** What was undone; that something could not be is said first. */
function compensationLines(
  { after, completed, failed, open }: NonNullable<ExecutionDocument['compensation']>,
  color: Colors,
): string[] {
  const named = (ids: readonly string[]): string => ids.map(oneLine).join(', ');
  return [
    ...(failed.length > 0 ? [`${color.red('✗')} could not be compensated: ${named(failed)}`] : []),
    ...(open.length > 0
      ? [`${color.yellow('…')} to be compensated, then it has ${after}: ${named(open)}`]
      : []),
    ...(completed.length > 0 ? [`${color.green('✓')} compensated: ${named(completed)}`] : []),
  ];
}

function factsOf(
  document: ExecutionDocument,
  states: readonly NodeStateDocument[],
  { color, nowMs, commandFor }: ExecutionTextOptions,
): [string, string][] {
  const status = document.interrupted
    ? `${colorStatus(color, 'interrupted')} (its process died)`
    : colorStatus(color, document.status);
  const name = document.workflow_name === document.workflow_id ? '' : ` (${oneLine(document.workflow_name)})`;
  const facts: [string, string][] = [
    ['execution', document.execution_id],
    ['workflow', `${oneLine(document.workflow_id)}${name}`],
    ['status', status],
    ['mode', document.mode],
    ['nodes', `${document.completed_nodes}/${document.total_nodes} (${formatCounts(countStatuses(states))})`],
  ];
  const { forked_from: origin } = document;
  if (origin !== undefined)
    facts.push(['forked from', `${origin.execution_id}, at ${oneLine(origin.nodes.join(', '))}`]);
  const migrated = document.migrations?.at(-1);
  if (migrated !== undefined) facts.push(['migrated', formatTime(migrated.at, nowMs)]);
  const { contracts } = document;
  if (contracts !== undefined) facts.push(['contracts', contractsText(contracts)]);
  const { parent } = document;
  if (parent !== undefined)
    facts.push(['started by', `${parent.execution_id}, node ${oneLine(parent.node_id)}`]);
  if (document.started_at !== null) facts.push(['started', formatTime(document.started_at, nowMs)]);
  const seconds = durationOf(document);
  if (seconds !== null) facts.push(['duration', formatSeconds(seconds)]);
  const next =
    document.status === 'running' && !document.interrupted ? null : continuation(document, commandFor);
  if (next !== null) facts.push(['go on with', color.bold(next)]);
  return facts;
}

function nodeTable(states: readonly NodeStateDocument[], { color, all }: ExecutionTextOptions): string[] {
  const fits = all || states.length <= NODES_SHOWN;
  const shown = fits ? states : mostUrgent(states);
  const header = ['NODE', 'STATUS', 'ATTEMPTS', 'DURATION', 'NOTE'].map(color.dim);
  const rows = shown.map((state) => {
    const seconds = secondsOf(state);
    return [
      oneLine(state.node_id),
      colorStatus(color, state.status),
      String(state.attempt_count),
      seconds === undefined ? '–' : formatSeconds(seconds),
      noteOf(state),
    ];
  });
  const lines = formatTable([header, ...rows]);
  if (!fits) lines.push(color.dim(`… and ${states.length - shown.length} more: --all shows every node`));
  return lines;
}

function mostUrgent(states: readonly NodeStateDocument[]): NodeStateDocument[] {
  return [...states]
    .sort((a, b) => URGENCY.indexOf(a.status) - URGENCY.indexOf(b.status))
    .slice(0, NODES_SHOWN);
}

function noteOf(state: NodeStateDocument): string {
  if (state.error_message !== null) return truncate(oneLine(state.error_message), NOTE_WIDTH);
  const {
    skipped_because: reason,
    waiting_for: wait,
    group,
    map,
    repeat,
    contracts,
    child,
    queue,
  } = state.metadata;
  const unmet = unmetContract(contracts);
  if (unmet !== undefined) return truncate(unmet, NOTE_WIDTH);
  if (queue !== undefined && state.status === 'ready') return queueText(queue);
  if (wait !== undefined) return truncate(oneLine(waitText(wait)), NOTE_WIDTH);
  if (map !== undefined) return truncate(oneLine(mapText(map)), NOTE_WIDTH);
  if (child !== undefined) return oneLine(childText(child));
  if (group !== undefined) return groupText(group);
  if (state.status === 'skipped' && typeof reason === 'string') return truncate(oneLine(reason), NOTE_WIDTH);
  if (repeat !== undefined && state.start_time !== null)
    return truncate(oneLine(repeatText(repeat)), NOTE_WIDTH);
  return state.artifacts.length > 0 ? truncate(state.artifacts.map(oneLine).join(', '), NOTE_WIDTH) : '';
}

/** One node for people, with its whole output. */
export function formatNode(state: NodeStateDocument, { color, nowMs, verbose }: NodeTextOptions): string {
  const facts: [string, string][] = [
    ['node', oneLine(state.node_id)],
    ['status', colorStatus(color, state.status)],
    ['attempts', String(state.attempt_count)],
  ];
  if (state.start_time !== null) facts.push(['started', formatTime(state.start_time, nowMs)]);
  const seconds = secondsOf(state);
  if (seconds !== undefined) facts.push(['duration', formatSeconds(seconds)]);
  for (const path of state.artifacts) facts.push(['artifact', oneLine(path)]);
  const lines = formatTable(facts.map(([name, value]) => [color.dim(name), value]));
  const { error, ...metadata } = state.metadata;
  if (isErrorDocument(error))
    lines.push('', color.red('error'), ...formatErrorDocument(error, color, verbose));
  else if (state.error_message !== null) lines.push('', color.red('error'), cleanLines(state.error_message));
  if (Object.keys(metadata).length > 0) lines.push('', color.dim('metadata'), jsonText(metadata));
  if (state.output !== null && state.output !== undefined)
    lines.push('', color.dim('output'), jsonText(state.output));
  return lines.join('\n');
}

function isErrorDocument(value: unknown): value is ErrorDocument {
  return (
    typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string'
  );
}

function jsonText(value: unknown): string {
  return cleanLines(JSON.stringify(value, null, 2));
}

function formatTime(iso: string, nowMs: number): string {
  return `${formatLocalTime(Date.parse(iso))} (${formatAgo(Date.parse(iso), nowMs)})`;
}
