import { loadWorkflowFile, MaestroError, type Runtime, type ScheduleDocument } from '../../runtime/index.js';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { parseWhole } from '../options.js';
import { formatSchedules } from '../report/schedule-text.js';
import { requireStore, withRuntime, type CommandContext } from '../session.js';

export function addScheduleCommand({ program, bind }: Registry): void {
  const schedule = program.command('schedule').description('workflows that start by themselves');
  schedule
    .command('list', { isDefault: true })
    .description('list schedules with their next times')
    .option('--next <n>', 'how many of the next times', parseWhole, 1)
    .action(bind(list));
  schedule
    .command('add')
    .description('store the schedules of workflow files, or replace them')
    .argument('<spec...>', 'workflow files with a `schedule`')
    .addHelpText('after', examples('maestro schedule add report.yaml', 'maestro schedule list --next 5'))
    .action(bind(add));
  const change = (
    name: string,
    description: string,
    action: (runtime: Runtime, id: string) => Promise<unknown>,
  ) =>
    schedule
      .command(name)
      .description(description)
      .argument('<workflow>', 'workflow id')
      .action(bind((context: CommandContext, id: string) => alter(context, id, action)));
  change('pause', 'nothing starts until it is resumed', (runtime, id) => runtime.schedules.pause(id));
  change('resume', 'start again what is due', (runtime, id) => runtime.schedules.resume(id));
  change('remove', 'forget a schedule; executions are not touched', async (runtime, id) => {
    if (await runtime.schedules.remove(id)) return { workflow_id: id, removed: true };
    throw new MaestroError('SCHEDULE_NOT_FOUND', `workflow "${id}" has no schedule in this store`);
  });
}

async function list(context: CommandContext, { next }: { next: number }): Promise<number> {
  requireStore(context.store);
  return withRuntime(context, {}, async (runtime) => {
    const schedules = await runtime.schedules.list({ next });
    if (context.ui.json) context.ui.document({ schedules });
    else show(context, schedules);
    return EXIT.success;
  });
}

async function add(context: CommandContext, specs: string[]): Promise<number> {
  const loaded = await Promise.all(specs.map((spec) => loadWorkflowFile(spec)));
  return withRuntime(context, {}, async (runtime) => {
    const schedules: ScheduleDocument[] = [];
    for (const { workflow, warnings } of loaded) {
      for (const warning of warnings) context.ui.problem(warning);
      schedules.push(await runtime.schedules.add(workflow));
    }
    if (context.ui.json) context.ui.document({ schedules });
    else show(context, schedules);
    context.ui.notice('a service on this store starts them: `maestro serve`');
    return EXIT.success;
  });
}

async function alter(
  context: CommandContext,
  id: string,
  action: (runtime: Runtime, id: string) => Promise<unknown>,
): Promise<number> {
  requireStore(context.store);
  return withRuntime(context, {}, async (runtime) => {
    const changed = await action(runtime, id);
    if (context.ui.json) context.ui.document(changed);
    else if ('cron' in (changed as object)) show(context, [changed as ScheduleDocument]);
    else context.ui.print(`workflow ${id} has no schedule any more`);
    return EXIT.success;
  });
}

function show({ ui }: CommandContext, schedules: readonly ScheduleDocument[]): void {
  if (schedules.length === 0) ui.print('no schedules');
  else ui.print(formatSchedules(schedules, ui.color));
}
