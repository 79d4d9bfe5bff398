import type { ErrorDocument } from '../base/errors.js';
import { componentLogger, isWanted, type Logger } from '../observe/logger.js';
import type { RunningJob } from '../supervisor/running-job.js';
import type { Printed } from '../supervisor/pool-relay.js';

/** Most of what a step writes that one line tells, in characters. */
const TEXT_CHARS = 2000;

/** What steps write, line by line of the log; null when nobody would see it. */
function printedLog(logger: Logger): ((output: Printed) => void) | null {
  const log = componentLogger(logger, 'pool');
  if (!isWanted(log, 'debug')) return null;
  return ({ text, ...fields }) => log.debug({ ...fields, text: text.slice(0, TEXT_CHARS) }, 'a step wrote');
}

/** Which attempt it is that a line speaks of. */
export function attemptFields({ execution, node, attempt }: RunningJob): Record<string, unknown> {
  return {
    workflow_id: execution.record.workflowId,
    execution_id: execution.id,
    node_id: execution.definition.plan.ids[node],
    attempt,
  };
}

function lostLog(logger: Logger): (job: RunningJob, error: ErrorDocument) => void {
  const log = componentLogger(logger, 'supervisor');
  return (job, error) =>
    log.warn(
      { ...attemptFields(job), error },
      'the attempt was lost with its worker and runs again, uncharged',
    );
}

/** What is told of attempts while they run. */
export function attemptLogs(logger: Logger) {
  return { printed: printedLog(logger), lost: lostLog(logger) };
}
