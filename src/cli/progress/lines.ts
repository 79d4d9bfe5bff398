import type { Colors } from 'picocolors/types.js';
import type { ExecutionEvent } from '../../runtime/index.js';
import { contractText } from '../report/contract-text.js';
import { colorStatus } from '../format/status.js';
import { formatSeconds, oneLine } from '../format/text.js';
import { waitText } from '../report/wait-text.js';
import { formatCounts, percent } from './frame.js';
import type { RunProgress } from './run-progress.js';

/** Executions with more nodes than this get summary lines instead of a line per node. */
export const LINE_PER_NODE_LIMIT = 50;

/** One event for people, or undefined when it is not worth a line. */
export function describeEvent(event: ExecutionEvent, color: Colors): string | undefined {
  const node = event.node_id === undefined ? '' : oneLine(event.node_id);
  const { data } = event;
  switch (event.event_type) {
    case 'node_started':
      if (data.waiting_for !== undefined)
        return `${colorStatus(color, 'paused', 'waiting')} ${node}: ${oneLine(waitText(data.waiting_for))}`;
      return `${colorStatus(color, 'running', 'started')} ${node}${attemptText(data)}`;
    case 'node_completed':
      return `${colorStatus(color, 'completed')} ${node}${secondsText(data)}`;
    case 'node_failed':
      return `${colorStatus(color, 'failed')} ${node}: ${errorText(data.error)}${data.will_retry === true ? ' (will be retried)' : ''}`;
    case 'node_retry':
      return `${colorStatus(color, 'paused', 'retrying')} ${node} in ${formatSeconds(Number(data.delay ?? 0))}`;
    case 'node_repeated':
      return `${colorStatus(color, 'running', 'repeats')} ${node} after iteration ${String(data.iteration)}`;
    case 'node_skipped':
      return `${colorStatus(color, 'skipped')} ${node}${conditionText(data.condition)}`;
    case 'node_blocked':
      return `${colorStatus(color, 'blocked')} ${node}`;
    case 'node_cancelled':
      return `${colorStatus(color, 'cancelled')} ${node}`;
    case 'node_recovered':
      return `${colorStatus(color, 'interrupted', 'recovered')} ${node}: ${recoveryText(data.reason)}`;
    case 'node_commented':
      return `commented ${node}: ${typeof data.comment === 'string' ? oneLine(data.comment) : ''}`;
    case 'workflow_signal_received':
      return `signal ${oneLine(String(data.signal))}`;
    case 'workflow_compensating':
      return `compensating: what completed is undone, then it has ${oneLine(String(data.after))}`;
    case 'node_cached':
      return `${colorStatus(color, 'completed', 'cached')} ${node}`;
    case 'edge_evaluated':
      return `edge ${oneLine(String(data.from))} to ${node}${edgeText(data)}`;
    case 'contract_breached':
    case 'contract_unverified':
      return `${node}: ${contractText(data)}`;
    case 'group_restarted':
      return `restart ${node} after ${oneLine(String(data.failed_node))}`;
    default:
      return undefined;
  }
}

function edgeText({ taken, error, condition }: Record<string, unknown>): string {
  if (taken === null) return ` has no answer: ${errorText(error)}`;
  return ` is ${taken === true ? 'taken' : 'not taken'}${conditionText(condition)}`;
}

function recoveryText(reason: unknown): string {
  if (reason === 'rerun') return 'runs again';
  if (reason === 'dependency_rerun') return 'no longer blocked';
  if (reason === 'halted') return 'waits no longer: the workflow failed';
  return reason === 'worker' ? 'its worker died, runs again' : 'interrupted before, runs again';
}

/** A line for the whole: `[  3.0s]  40% 400/1000 · completed 400 · running 2`. */
export function describeProgress(progress: RunProgress, secondsLeft: number | undefined): string {
  const share = progress.totalWeight > 0 ? Math.min(1, progress.weightDone / progress.totalWeight) : 1;
  const left = secondsLeft === undefined ? '' : ` · about ${formatSeconds(secondsLeft)} left`;
  return `${percent(share)} ${progress.settledNodes}/${progress.totalNodes} · ${formatCounts(progress.counts)}${left}`;
}

/** The message of an error document, whatever it turns out to be. */
export function errorText(error: unknown): string {
  if (typeof error === 'string') return oneLine(error);
  if (typeof error === 'object' && error !== null && 'message' in error) {
    const { message } = error;
    const code = 'code' in error && typeof error.code === 'string' ? ` [${oneLine(error.code)}]` : '';
    return `${typeof message === 'string' ? oneLine(message) : 'unknown error'}${code}`;
  }
  return 'unknown error';
}

function attemptText(data: Record<string, unknown>): string {
  const { attempt, max_attempts: max } = data;
  if (typeof attempt !== 'number' || attempt <= 1) return '';
  return typeof max === 'number' ? ` (attempt ${attempt} of ${max})` : ` (attempt ${attempt})`;
}

function secondsText(data: Record<string, unknown>): string {
  const seconds = data.execution_time_seconds;
  return typeof seconds === 'number' ? ` in ${formatSeconds(seconds)}` : '';
}

function conditionText(condition: unknown): string {
  return typeof condition === 'string' && condition !== '' ? `: ${oneLine(condition)}` : '';
}
