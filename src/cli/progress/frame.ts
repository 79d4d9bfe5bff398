import type { Colors } from 'picocolors/types.js';
import { NODE_STATUSES } from '../../runtime/index.js';
import { colorStatus } from '../format/status.js';
import { formatSeconds, oneLine, truncate } from '../format/text.js';
import type { RunProgress, StatusCounts } from './run-progress.js';

export interface FrameOptions {
  readonly color: Colors;
  /** Columns of the terminal. */
  readonly width: number;
  /** Lines for running nodes. */
  readonly maxRunning: number;
  readonly nowMs: number;
  readonly elapsedSeconds: number;
  /** Undefined when unknown. */
  readonly secondsLeft: number | undefined;
  readonly title: string;
  /** Shown instead of the spinner's text while pausing. */
  readonly notice?: string;
}

const BAR_WIDTH = 24;

/** The picture of a running execution: a bar, the counts, the nodes at work. Every line fits `width`. */
export function drawFrame(progress: RunProgress, options: FrameOptions): string {
  const { color, width } = options;
  const share = progress.totalWeight > 0 ? Math.min(1, progress.weightDone / progress.totalWeight) : 1;
  const time = [formatSeconds(options.elapsedSeconds)];
  if (options.secondsLeft !== undefined) time.push(`about ${formatSeconds(options.secondsLeft)} left`);
  const numbers = ` ${percent(share)} ${progress.settledNodes}/${progress.totalNodes} · ${time.join(' · ')}`;
  const barWidth = Math.max(0, Math.min(BAR_WIDTH, width - numbers.length - 2));
  const title = truncate(oneLine(options.title), Math.max(0, width - numbers.length - barWidth - 2));
  const lines = [`${color.bold(title)} ${drawBar(share, barWidth, color)}${truncate(numbers, width - 1)}`];
  lines.push(color.dim(truncate(`  ${formatCounts(progress.counts)}`, width)));
  lines.push(...runningLines(progress, options));
  if (options.notice !== undefined) lines.push(color.yellow(truncate(`  ${options.notice}`, width)));
  return lines.join('\n');
}

/** `completed 3 · running 2 · pending 1`: what there is none of is left out. */
export function formatCounts(counts: StatusCounts): string {
  return NODE_STATUSES.filter((status) => counts[status] > 0)
    .map((status) => `${status} ${counts[status]}`)
    .join(' · ');
}

export function percent(share: number): string {
  return `${String(Math.floor(share * 100)).padStart(3)}%`;
}

function drawBar(share: number, width: number, color: Colors): string {
  const full = Math.round(share * width);
  return color.green('█'.repeat(full)) + color.dim('░'.repeat(width - full));
}

function runningLines(progress: RunProgress, { color, width, maxRunning, nowMs }: FrameOptions): string[] {
  const lines: string[] = [];
  for (const node of progress.running.values()) {
    if (lines.length === maxRunning) break;
    const elapsed = formatSeconds(Math.max(0, nowMs - node.startedAtMs) / 1000);
    const fraction = node.fraction === undefined ? '' : `${percent(node.fraction)} `;
    const message = node.message === undefined ? '' : oneLine(node.message);
    const text = truncate(`  ▸ ${oneLine(node.id)}  ${elapsed}  ${fraction}${message}`.trimEnd(), width);
    lines.push(text.replace('▸', colorStatus(color, 'running', '▸')));
  }
  const more = progress.running.size - lines.length;
  if (more > 0) lines.push(color.dim(truncate(`    … and ${more} more running`, width)));
  return lines;
}
