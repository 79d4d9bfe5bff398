import { commandLine } from '../attach.js';
import { EXIT } from '../error-report.js';
import type { ExecutionDocument, Runtime } from '../../runtime/index.js';
import type { CommandContext } from '../session.js';

/** How long an answer is watched for its effect. */
const WATCH_MS = 3000;
const POLL_MS = 100;

/**
 * Tells what became of an answer that is durable: `seen` says by the document whether it has had its effect; a signal
 * may have none for long, so it is not waited for.
 */
export async function reportAnswer(
  context: CommandContext,
  runtime: Runtime,
  executionId: string,
  what: string,
  fields: Record<string, unknown>,
  seen: (document: ExecutionDocument) => boolean = () => true,
): Promise<number> {
  const { ui, terminal } = context;
  const untilMs = terminal.nowMs() + WATCH_MS;
  let document = (await runtime.get(executionId))!;
  const isRun = document.status === 'running' && !document.interrupted;
  while (isRun && !seen(document) && terminal.nowMs() < untilMs) {
    await new Promise((done) => setTimeout(done, POLL_MS));
    document = (await runtime.get(executionId)) ?? document;
  }
  const { status, interrupted } = document;
  if (ui.json) ui.document({ execution_id: executionId, status, interrupted, ...fields });
  else if (isRun) ui.print(`${what} sent to ${executionId}`);
  else
    ui.print(
      `${what} kept for ${executionId}, which nobody runs; go on with: ${ui.color.bold(commandLine(context, 'resume', executionId))}`,
    );
  return EXIT.success;
}
