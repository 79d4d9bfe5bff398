import { Option } from 'commander';
import { attach, commandLine } from '../attach.js';
import { examples, type Registry } from '../command-registry.js';
import { parseContext, parseNonNegative } from '../options.js';
import { EventFeed } from '../event-feed.js';
import { expectedSeconds } from '../expected-seconds.js';
import { findInterrupted } from '../report/listing.js';
import { noticesFor } from '../run-settings.js';
import { addRuntimeFlags, runtimeOptionsOf, type RuntimeFlags } from '../runtime-options.js';
import {
  EXECUTION_MODES,
  loadWorkflowFile,
  readFlags,
  settingsFromFlags,
  type ExecutionMode,
  type Plan,
  type Runtime,
  type Workflow,
  planOf,
} from '../../runtime/index.js';
import { withRuntime, type CommandContext } from '../session.js';
import { MEMORY_STORE } from '../store-location.js';
import { announce } from './resume.js';

interface RunFlags extends RuntimeFlags {
  mode?: ExecutionMode;
  retries?: boolean;
  context?: string;
  id?: string;
  timeScale?: number;
  cache?: boolean;
}

export function addRunCommand({ program, bind }: Registry): void {
  const command = program
    .command('run')
    .description('run a workflow file')
    .argument('<spec>', 'workflow file (.yaml, .yml, .json, .json.gz)')
    .addOption(
      new Option(
        '--mode <mode>',
        'one node at a time, or as many as possible (default: as MAESTRO_* flags say)',
      ).choices(EXECUTION_MODES),
    )
    .option('--retries', 'let retry policies take effect (default: as MAESTRO_ENABLE_RETRY_LOGIC says)')
    .option('--no-retries', 'one attempt for every node')
    .option('--no-cache', 'do not take results of `cache` nodes from earlier executions')
    .option('--context <json>', 'initial context: a JSON object, or @file')
    .option('--id <id>', 'execution id to use; it must be new')
    .option(
      '--time-scale <factor>',
      'duration of tasks of recorded workflows (WfFormat), 0: none',
      parseNonNegative,
    );
  addRuntimeFlags(command)
    .addHelpText(
      'after',
      examples(
        'maestro run workflow.yaml',
        'maestro run workflow.yaml --mode dag_parallel --context \'{"input": "data.csv"}\'',
        'maestro run montage.json.gz --time-scale 0 --json',
      ) +
        '\n\nCtrl-C pauses after the running nodes have finished; a second Ctrl-C kills at once. Both can be resumed.',
    )
    .action(bind(run));
}

async function run(context: CommandContext, spec: string, flags: RunFlags): Promise<number> {
  const { terminal, ui } = context;
  const choices = {
    mode: flags.mode,
    retries: flags.retries,
    storeGiven: context.globals.store !== undefined,
  };
  const settings = settingsFromFlags(readFlags(terminal.env), choices);
  const initial = flags.context === undefined ? undefined : parseContext(flags.context, terminal.cwd);
  const { workflow, warnings } = await loadWorkflowFile(spec, { timeScale: flags.timeScale });
  const plan = planOf(workflow.spec);
  for (const warning of warnings) ui.problem(warning);
  for (const notice of noticesFor(settings, choices, workflow, plan)) ui.notice(notice);
  const inContext = settings.persistent ? context : inMemory(context);
  const { mode, retries, events } = settings;
  const feed = events ? new EventFeed() : undefined;
  const options = { ...runtimeOptionsOf(flags), mode, retries, events, onEvent: feed?.push };
  return withRuntime(inContext, options, async (runtime) => {
    await tellInterrupted(inContext, runtime);
    return execute(inContext, runtime, { workflow, plan, initial, flags, feed });
  });
}

interface Execute {
  workflow: Workflow;
  plan: Plan;
  initial: Record<string, unknown> | undefined;
  flags: RunFlags;
  feed: EventFeed | undefined;
}

async function execute(
  context: CommandContext,
  runtime: Runtime,
  { workflow, plan, initial, flags, feed }: Execute,
): Promise<number> {
  const sinceMs = context.terminal.nowMs();
  const execution = await runtime.start(workflow, initial, { executionId: flags.id, cache: flags.cache });
  announce(context, execution.id);
  return attach(context, runtime, execution, {
    title: workflow.spec.workflow.name,
    totalNodes: workflow.spec.nodes.length,
    durability: flags.durability,
    sinceMs,
    fresh: true,
    feed,
    plan,
    weights: expectedSeconds(workflow.spec),
  });
}

function inMemory(context: CommandContext): CommandContext {
  return { ...context, store: { url: MEMORY_STORE, path: null, args: [] } };
}

const MAX_TOLD = 20;

/** Executions of dead processes are left alone, but not silently. */
async function tellInterrupted(context: CommandContext, runtime: Runtime): Promise<void> {
  const ids = await findInterrupted(runtime, MAX_TOLD);
  if (ids.length === 0) return;
  const what = ids.length === 1 ? `execution ${ids[0]} was` : `${ids.length} executions were`;
  const how =
    ids.length === 1 ? commandLine(context, 'resume', ids[0]) : commandLine(context, 'resume', '--all');
  context.ui.notice(`${what} interrupted by the death of its process; resume with: ${how}`, {
    interrupted: ids,
  });
}
