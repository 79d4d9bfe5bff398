import { resolve } from 'node:path';
import { attach, exitCodeFor } from '../attach.js';
import { examples, type Registry } from '../command-registry.js';
import { EXIT, exitCodeOf } from '../error-report.js';
import { EventFeed } from '../event-feed.js';
import { expectedSeconds } from '../expected-seconds.js';
import { findExecution } from '../execution-ref.js';
import { colorStatus } from '../format/status.js';
import { formatDifference } from '../report/definition-text.js';
import { findInterrupted } from '../report/listing.js';
import {
  compareDefinitions,
  isSameDefinition,
  loadWorkflowFile,
  MaestroError,
  planOf,
  type Execution,
  type ExecutionEvent,
  type ExecutionResult,
  type Runtime,
  type WorkflowSpec,
} from '../../runtime/index.js';
import { parseAssignments } from '../options.js';
import { addRuntimeFlags, runtimeOptionsOf, type RuntimeFlags } from '../runtime-options.js';
import { withStoredRuntime, type CommandContext } from '../session.js';

const ID_HELP = 'execution id, a unique beginning of one, or `last`';
const SPEC_HELP = 'go on only if this is the definition that the execution has; else show the difference';

export function addResumeCommand({ program, bind }: Registry): void {
  const command = program
    .command('resume')
    .description('continue a paused or interrupted execution: completed nodes are not run again')
    .argument('[id]', ID_HELP)
    .option('--all', 'every execution whose process died')
    .option('--spec <file>', SPEC_HELP)
    .addHelpText(
      'after',
      examples('maestro resume last', 'maestro resume last --spec workflow.yaml', 'maestro resume --all'),
    );
  addRuntimeFlags(command).action(
    bind((context, ref: string | undefined, options: ProceedFlags & { all?: boolean }) => {
      if (options.all === true && ref === undefined && options.spec === undefined)
        return resumeAll(context, options);
      if (ref !== undefined && options.all !== true) return proceed(context, ref, RESUME, options);
      throw new MaestroError('USAGE', 'give either an execution id or --all', {
        next: 'See what can be resumed with `maestro list --status interrupted`.',
      });
    }),
  );
}

export function addRetryCommand({ program, bind }: Registry): void {
  const command = program
    .command('retry')
    .description(
      'run a failed or cancelled execution again from what failed: completed nodes keep their results',
    )
    .argument('<id>', ID_HELP)
    .option('--spec <file>', SPEC_HELP)
    .addHelpText('after', examples('maestro retry last', 'maestro retry last --spec workflow.yaml'));
  addRuntimeFlags(command).action(
    bind((context, ref: string, options: ProceedFlags) => proceed(context, ref, RETRY, options)),
  );
}

export function addRerunCommand({ program, bind }: Registry): void {
  const command = program
    .command('rerun')
    .description('run one node of an execution again, and what depends on it')
    .argument('<id>', ID_HELP)
    .argument('<node>', 'node id')
    .option('--no-cascade', 'only this node: what depends on it keeps its results')
    .addHelpText('after', examples('maestro rerun last build', 'maestro rerun last report --no-cascade'));
  addRuntimeFlags(command).action(
    bind((context, ref: string, node: string, options: RuntimeFlags & { cascade: boolean }) =>
      proceed(context, ref, (runtime, id) => runtime.rerun(id, node, options), options),
    ),
  );
}

export function addForkCommand({ program, bind }: Registry): void {
  const command = program
    .command('fork')
    .description('start a new execution that keeps the results of another one before some nodes')
    .argument('<id>', ID_HELP)
    .requiredOption('--from <node...>', 'begin from these nodes: they run, and all that depends on them')
    .option('--set <key=value...>', 'change the context; a value is JSON, or else text', [])
    .option('--id <id>', 'execution id of the new one; default: a new UUID')
    .addHelpText(
      'after',
      examples('maestro fork last --from report', 'maestro fork last --from build --set retries=3'),
    );
  addRuntimeFlags(command).action(
    bind((context, ref: string, { from, set, id: executionId, ...flags }: ForkFlags) => {
      const options = { from, context: parseAssignments(set), executionId };
      return proceed(context, ref, (runtime, id) => runtime.fork(id, options), flags);
    }),
  );
}

interface ForkFlags extends RuntimeFlags {
  from: string[];
  set: string[];
  id?: string;
}

interface ProceedFlags extends RuntimeFlags {
  /** The workflow file whose definition the execution must have. */
  spec?: string;
}

/** Makes an execution go on; undefined: another process does. */
export type Continuation = (runtime: Runtime, executionId: string) => Promise<Execution | undefined>;

export const RESUME: Continuation = (runtime, id) => runtime.resume(id);
export const RETRY: Continuation = (runtime, id) => runtime.retry(id);

/** Continues one execution, with progress. */
export async function proceed(
  context: CommandContext,
  ref: string,
  action: Continuation,
  flags: ProceedFlags,
): Promise<number> {
  const { ui, terminal } = context;
  const feed = new EventFeed();
  return withStoredRuntime(
    context,
    async (runtime) => {
      const before = await findExecution(runtime, ref);
      const spec = await runtime.definition(before.execution_id);
      if (flags.spec !== undefined && spec !== undefined)
        await assertSame(context, before.execution_id, spec, flags.spec);
      const past = await collect(runtime.events(before.execution_id));
      const sinceMs = terminal.nowMs();
      const execution = await action(runtime, before.execution_id);
      if (execution === undefined) return reportAsked(context, before.execution_id);
      announce(context, execution.id);
      // A fork has a history of its own.
      const isSame = execution.id === before.execution_id;
      // What had completed runs again, in part: how much of it is for the progress to tell.
      if (isSame && before.completed_nodes > 0 && before.status !== 'completed') {
        ui.notice(`${before.completed_nodes} of ${before.total_nodes} nodes are completed already`);
      }
      return attach(context, runtime, execution, {
        title: before.workflow_id,
        totalNodes: before.total_nodes,
        durability: flags.durability,
        sinceMs,
        fresh: false,
        feed,
        history: isSame ? past : [],
        plan: spec && planOf(spec),
        weights: spec && expectedSeconds(spec),
      });
    },
    { ...runtimeOptionsOf(flags), onEvent: feed.push },
  );
}

/** @throws DEFINITION_CHANGED after showing the difference, and what reading the file throws */
async function assertSame(
  { ui, terminal }: CommandContext,
  execution_id: string,
  stored: WorkflowSpec,
  file: string,
): Promise<void> {
  const { workflow } = await loadWorkflowFile(resolve(terminal.cwd, file));
  const difference = compareDefinitions(stored, workflow.spec);
  if (isSameDefinition(difference)) return;
  if (ui.json) ui.document({ execution_id, difference });
  else ui.print(formatDifference(difference, ui.color));
  throw new MaestroError(
    'DEFINITION_CHANGED',
    `execution ${execution_id} has another definition than ${file}`,
  );
}

function reportAsked({ ui }: CommandContext, execution_id: string): number {
  if (ui.json) ui.document({ execution_id, requested: 'rerun' });
  else ui.print(`rerun requested: the process that runs execution ${execution_id} does it`);
  return EXIT.success;
}

async function collect(events: AsyncIterable<ExecutionEvent>): Promise<ExecutionEvent[]> {
  const all: ExecutionEvent[] = [];
  // Outputs are not needed for progress, and may be large.
  for await (const event of events) all.push({ ...event, data: { ...event.data, output: undefined } });
  return all;
}

/** The first line of every command that executes: what to resume should anything happen. */
export function announce({ ui }: CommandContext, executionId: string): void {
  if (ui.json) ui.notice('execution', { execution_id: executionId });
  else ui.print(`execution ${executionId}`);
}

const MAX_RESUMED = 1000;

interface Resumed {
  execution_id: string;
  result: Pick<ExecutionResult, 'status' | 'completed_nodes' | 'total_nodes'> | null;
  error: unknown;
}

/** Continues every execution whose process died. */
export async function resumeAll(context: CommandContext, flags: RuntimeFlags): Promise<number> {
  const { ui, terminal } = context;
  return withStoredRuntime(
    context,
    async (runtime) => {
      const ids = await findInterrupted(runtime, MAX_RESUMED);
      const release = terminal.onInterrupt(() => {
        for (const id of ids) runtime.pause(id).catch(() => undefined);
      });
      const resumed = await Promise.all(ids.map((id) => resumeOne(context, runtime, id)));
      release();
      if (ui.json)
        ui.document({ executions: resumed.map(({ execution_id, result }) => ({ execution_id, ...result })) });
      else if (ids.length === 0) ui.print('nothing was interrupted');
      return Math.max(EXIT.success, ...resumed.map(exitCodeOfResumed));
    },
    runtimeOptionsOf(flags),
  );
}

async function resumeOne({ ui }: CommandContext, runtime: Runtime, id: string): Promise<Resumed> {
  try {
    const result = await (await runtime.resume(id)).result;
    if (!ui.json) {
      const nodes = `${result.completed_nodes}/${result.total_nodes} nodes`;
      ui.print(`${colorStatus(ui.color, result.status)} ${id} ${result.workflow_id}: ${nodes}`);
    }
    return { execution_id: id, result, error: undefined };
  } catch (error) {
    ui.error(error);
    return { execution_id: id, result: null, error };
  }
}

function exitCodeOfResumed({ result, error }: Resumed): number {
  return result === null ? exitCodeOf(error) : exitCodeFor(result.status);
}
