import type { ExecutionEvent } from '../observe/events.js';
import type { Cause } from './seed-fates.js';
import type { Trial } from './trial.js';
import { withRuns } from './verdict.js';

/** A line of what happened in one seed. */
export interface StoryLine {
  /** Since the beginning of the simulation. */
  readonly at_seconds: number;
  readonly text: string;
}

/** Everything that happened in one seed, in order, for people. */
export function tellStory(trial: Trial, startAtMs: number): StoryLine[] {
  const lines = [...withRuns(trial.events)].flatMap(([event, run]) => {
    const text = textOf(event, (attempt) => trial.causeOf(event.node_id!, run, attempt));
    return text === undefined ? [] : [{ atMs: Date.parse(event.timestamp), text }];
  });
  // What happened outside is told after what the execution noted in the same moment.
  return [...lines, ...trial.notes]
    .map((line, index) => ({ ...line, index }))
    .sort((a, b) => a.atMs - b.atMs || a.index - b.index)
    .map(({ atMs, text }) => ({ at_seconds: (atMs - startAtMs) / 1000, text }));
}

type CauseOf = (attempt: number) => Cause | null;

function textOf(event: ExecutionEvent, causeOf: CauseOf): string | undefined {
  const { data, node_id = '' } = event;
  switch (event.event_type) {
    case 'node_ready':
    case 'node_retry':
    case 'node_progress':
      return undefined;
    case 'node_started':
      return `${node_id} ${startText(data)}`;
    case 'node_completed':
      return `${node_id} completes${outputText(data.output)}`;
    case 'node_failed':
      return `${node_id} fails${whyText(causeOf, data)}: ${String(data.error)}${data.will_retry === true ? '; it is tried again' : ''}`;
    case 'node_repeated':
      return `${node_id} ends iteration ${Number(data.iteration)}${outputText(data.output)}`;
    case 'node_skipped':
      return `${node_id} is skipped: ${String(data.condition)}`;
    case 'node_blocked':
      return `${node_id} is blocked by ${String(data.by)}`;
    case 'node_recovered':
      return `${node_id} is started again: ${String(data.reason)}`;
    case 'edge_evaluated':
      return data.taken === false
        ? `the edge from ${String(data.from)} to ${node_id} is not taken`
        : undefined;
    case 'group_restarted':
      return `${node_id} restarts members: ${String(data.failed_node)} failed`;
    case 'map_expanded':
      return `${node_id} is done for ${String(data.items)} items`;
    case 'node_cancelled':
      return `${node_id} is cancelled`;
    case 'node_commented':
      return `${node_id} gets a comment`;
    case 'contract_verified':
    case 'contract_breached':
    case 'contract_unverified':
      return `${node_id} ${contractText(data)}`;
    case 'workflow_signal_received':
      return `signal ${String(data.signal)} arrives${outputText(data.payload)}`;
    case 'workflow_failed':
      return `the execution fails: ${String(data.error)}`;
    case 'node_cached':
      return `${node_id} is known from before`;
    case 'workflow_compensating':
      return `what completed is compensated, then the execution has ${String(data.after)}`;
    case 'workflow_started':
    case 'workflow_completed':
    case 'workflow_paused':
    case 'workflow_resumed':
    case 'workflow_cancelled':
    case 'workflow_migrated':
      return `the execution is ${event.event_type.slice('workflow_'.length)}`;
  }
}

function startText({ attempt, max_attempts, waiting_for }: ExecutionEvent['data']): string {
  if (waiting_for !== undefined) {
    const { kind, signal } = waiting_for as { kind: string; signal?: string };
    return `waits: ${kind}${signal === undefined ? '' : ` ${signal}`}`;
  }
  return `starts${Number(max_attempts) > 1 ? ` (attempt ${Number(attempt)} of ${Number(max_attempts)})` : ''}`;
}

function contractText({ contract, side, status }: ExecutionEvent['data']): string {
  if (side === 'input') return `needs contract ${String(contract)}, which is ${String(status)}`;
  return `is held against contract ${String(contract)}: ${String(status)}`;
}

function whyText(causeOf: CauseOf, { attempts, error_code }: ExecutionEvent['data']): string {
  if (error_code === 'CONDITION_FAILED' || error_code === 'REPEAT_EXHAUSTED') return '';
  const cause = causeOf(Number(attempts));
  if (cause === null) return '';
  return cause === 'declared' ? ' (as declared)' : ` (fault: ${cause})`;
}

const MOST_OUTPUT_CHARS = 120;

function outputText(output: unknown): string {
  const text = JSON.stringify(output ?? null);
  if (text === '{}' || text === 'null') return '';
  return text.length <= MOST_OUTPUT_CHARS ? `: ${text}` : `: ${text.slice(0, MOST_OUTPUT_CHARS - 1)}…`;
}
