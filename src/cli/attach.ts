import {
  isMaestroError,
  isWorkflowStatusEnded,
  type Durability,
  type Execution,
  type ExecutionDocument,
  type ExecutionEvent,
  type Plan,
  type Runtime,
  type WorkflowStatus,
} from '../runtime/index.js';
import { EXIT } from './error-report.js';
import type { EventFeed } from './event-feed.js';
import { count, shellQuote } from './format/text.js';
import { ProgressReporter } from './progress/reporter.js';
import { summarize, type RunSummary } from './report/run-summary.js';
import { formatSummary } from './report/summary-text.js';
import type { CommandContext } from './session.js';

export interface AttachOptions {
  readonly title: string;
  readonly totalNodes: number;
  readonly durability: Durability;
  /** When this process began with it, in epoch ms. */
  readonly sinceMs: number;
  /** This process runs it from its first node on. */
  readonly fresh: boolean;
  /** Live events; absent when nobody is told any: then there is no progress to show. */
  readonly feed?: EventFeed;
  /** What happened before. */
  readonly history?: readonly ExecutionEvent[];
  readonly plan?: Plan;
  /** Expected seconds by node. */
  readonly weights?: ReadonlyMap<string, number>;
}

/**
 * Stays with an execution until it ends or is paused: shows its progress, answers Ctrl-C, prints the summary.
 * Resolves to the exit code.
 */
export async function attach(
  context: CommandContext,
  runtime: Runtime,
  execution: Execution,
  options: AttachOptions,
): Promise<number> {
  const { ui, terminal } = context;
  const createRedraw = ui.redraws ? (await import('log-update')).createLogUpdate : undefined;
  const reporter = new ProgressReporter({ ui, nowMs: () => terminal.nowMs(), createRedraw, ...options });
  const release = terminal.onInterrupt(interruptHandler(context, runtime, execution.id, reporter));
  reporter.start(options.history ?? []);
  options.feed?.flowTo((event) => {
    if (event.execution_id === execution.id) reporter.apply(event);
  });
  try {
    await execution.result;
  } finally {
    reporter.stop();
    release();
  }
  const document = await runtime.get(execution.id);
  if (document === undefined) return EXIT.failed;
  const summary = summarizeRun(context, document, options, reporter);
  printSummary(context, summary);
  return exitCodeFor(summary.status);
}

/** 0 completed, 1 failed or cancelled, 130 paused: it did not end, and can be resumed. */
export function exitCodeFor(status: WorkflowStatus): number {
  if (status === 'completed') return EXIT.success;
  return isWorkflowStatusEnded(status) ? EXIT.failed : EXIT.interrupted;
}

/** The command line that does `action` to an execution of this store. */
export function commandLine(context: CommandContext, action: string, executionId: string): string {
  return ['maestro', action, executionId, ...context.store.args].map(shellQuote).join(' ');
}

function summarizeRun(
  context: CommandContext,
  document: ExecutionDocument,
  options: AttachOptions,
  reporter: ProgressReporter,
): RunSummary {
  const summary = summarize({
    document,
    durability: options.durability,
    plan: options.plan,
    nodeSeconds: options.feed !== undefined ? reporter.progress.nodeSeconds : undefined,
    watchedFromStart: options.fresh,
    commandFor: (action) => commandLine(context, action, document.execution_id),
  });
  // What a memory store held is gone with this process.
  return context.store.path === null ? { ...summary, continue_with: null } : summary;
}

function printSummary({ ui }: CommandContext, summary: RunSummary): void {
  if (ui.json) ui.document(summary);
  else if (!ui.quiet) ui.print(formatSummary(summary, ui.color));
  else if (summary.status !== 'completed') ui.warn(`${summary.execution_id} ${summary.status}`);
}

/** How long a second Ctrl-C waits for workers and commands to be ended. */
const KILL_WAIT_MS = 2000;

/** First Ctrl-C: pause, let running nodes finish. Second: end everything now. Third: do not even wait for that. */
function interruptHandler(
  context: CommandContext,
  runtime: Runtime,
  executionId: string,
  reporter: ProgressReporter,
): () => void {
  const { ui, terminal } = context;
  let interrupts = 0;
  return () => {
    interrupts++;
    if (interrupts === 1) {
      const running = reporter.progress.running.size;
      const waiting = running === 0 ? '' : `, waiting for ${count(running, 'running node')}`;
      const notice = `pausing${waiting}; press Ctrl-C again to kill`;
      if (ui.json) ui.notice(notice, { execution_id: executionId });
      else reporter.setNotice(notice);
      runtime.pause(executionId).catch((error: unknown) => {
        // It ended in the same moment: its result says so.
        if (!isMaestroError(error, 'EXECUTION_STATE')) ui.error(error);
      });
      return;
    }
    if (interrupts > 2) return terminal.exitNow(EXIT.interrupted);
    reporter.stop();
    const hint =
      context.store.path === null ? '' : `; resume with: ${commandLine(context, 'resume', executionId)}`;
    ui.warn(`killed${hint}`, { execution_id: executionId });
    const exit = () => terminal.exitNow(EXIT.interrupted);
    setTimeout(exit, KILL_WAIT_MS);
    runtime.close({ drainMs: 0, graceMs: 0 }).then(exit, exit);
  };
}
