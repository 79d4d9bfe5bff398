import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { findExecution } from '../execution-ref.js';
import {
  isWorkflowStatusEnded,
  MaestroError,
  type ExecutionDocument,
  type Runtime,
  type WorkflowStatus,
} from '../../runtime/index.js';
import { withStoredRuntime, type CommandContext } from '../session.js';

const ID_HELP = 'execution id, a unique beginning of one, or `last`';

export function addPauseCommand({ program, bind }: Registry): void {
  program
    .command('pause')
    .description('pause an execution, whichever process runs it: running nodes finish, nothing new starts')
    .argument('<id>', ID_HELP)
    .addHelpText('after', examples('maestro pause last', 'maestro pause 0190b5c2'))
    .action(bind((context, ref: string) => control(context, ref, PAUSE)));
}

export function addCancelCommand({ program, bind }: Registry): void {
  program
    .command('cancel')
    .description('cancel an execution, whichever process runs it: running nodes are stopped')
    .argument('<id>', ID_HELP)
    .option('--reason <text>', 'kept with the execution')
    .option('--compensate', 'first undo what completed, as far as its nodes say how (`compensate`)')
    .addHelpText(
      'after',
      examples(
        'maestro cancel last',
        'maestro cancel last --reason "wrong input"',
        'maestro cancel last --compensate',
      ),
    )
    .action(
      bind((context, ref: string, { reason, ...options }: { reason?: string; compensate?: true }) =>
        control(context, ref, { ...CANCEL, send: (runtime, id) => runtime.cancel(id, reason, options) }),
      ),
    );
}

interface Control {
  readonly name: 'pause' | 'cancel';
  readonly goal: WorkflowStatus;
  send(runtime: Runtime, id: string): Promise<void>;
}

const PAUSE: Control = { name: 'pause', goal: 'paused', send: (runtime, id) => runtime.pause(id) };
const CANCEL: Control = { name: 'cancel', goal: 'cancelled', send: (runtime, id) => runtime.cancel(id) };

/** How long a request to another process is watched for its effect. */
const WATCH_MS = 3000;
const POLL_MS = 100;

async function control(context: CommandContext, ref: string, action: Control): Promise<number> {
  return withStoredRuntime(context, async (runtime) => {
    const before = await findExecution(runtime, ref);
    if (before.status === action.goal) return report(context, action, before, 'was already');
    if (isWorkflowStatusEnded(before.status)) {
      throw new MaestroError(
        'EXECUTION_STATE',
        `execution ${before.execution_id} is already ${before.status}: there is nothing to ${action.name}`,
      );
    }
    await action.send(runtime, before.execution_id);
    const after = await watchFor(runtime, before, action.goal, () => context.terminal.nowMs());
    return report(context, action, after, 'is now');
  });
}

/** The execution once it has reached the goal or ended otherwise, or as it is when time is up. */
async function watchFor(
  runtime: Runtime,
  before: ExecutionDocument,
  goal: WorkflowStatus,
  nowMs: () => number,
): Promise<ExecutionDocument> {
  const deadlineMs = nowMs() + WATCH_MS;
  let current = before;
  for (;;) {
    current = (await runtime.get(before.execution_id)) ?? current;
    if (current.status === goal || isWorkflowStatusEnded(current.status) || nowMs() >= deadlineMs)
      return current;
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

function report({ ui }: CommandContext, action: Control, execution: ExecutionDocument, verb: string): number {
  const { execution_id, status } = execution;
  const reached = status === action.goal;
  if (ui.json) ui.document({ execution_id, status, requested: action.name, done: reached });
  else if (reached) ui.print(`execution ${execution_id} ${verb} ${status}`);
  else if (isWorkflowStatusEnded(status))
    ui.print(`execution ${execution_id} had ${status} before it could ${action.name}`);
  else ui.print(`${action.name} requested; the process that runs ${execution_id} will do it`);
  return reached || !isWorkflowStatusEnded(status) ? EXIT.success : EXIT.failed;
}
