import { InvalidArgumentError, Option } from 'commander';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { shellQuote } from '../format/text.js';
import { parseContext, parseCount, parseDuration, parseNonNegative, parseWhole } from '../options.js';
import { SimulationProgressLine } from '../progress/simulation-line.js';
import { simulationText } from '../report/simulation-text.js';
import { EXECUTION_MODES, loadWorkflowFile, type ExecutionMode } from '../../runtime/index.js';
import { FAULTS, simulateWorkflow, type FaultKind, type SimulationReport } from '../../simulation/index.js';
import type { CommandContext } from '../session.js';

interface SimulateFlags {
  seeds: number;
  seed: number;
  faults?: FaultKind[];
  workers: number;
  outcomes?: string;
  mode: ExecutionMode;
  retries: boolean;
  context?: string;
  timeScale?: number;
  limit?: number;
  at?: Date;
}

export function addSimulateCommand({ program, bind }: Registry): void {
  program
    .command('simulate')
    .description('run a workflow many times in a simulated world: nothing of it is executed')
    .argument('<spec>', 'workflow file (.yaml, .yml, .json, .json.gz)')
    .option('--seeds <n>', 'how many executions, each from a seed of its own', parseCount, 100)
    .option('--seed <n>', 'the first seed', parseWhole, 1)
    .option(
      '--faults <kinds>',
      `what goes wrong: ${FAULTS.join(', ')}, divided by commas (default: nothing)`,
      parseFaults,
    )
    .option('--workers <n>', 'attempts at once, whatever this machine has', parseCount, 4)
    .option('--outcomes <file>', 'how nodes come out: YAML or JSON, laid over what metadata.simulate says')
    .addOption(new Option('--mode <mode>', 'as for run').choices(EXECUTION_MODES).default('dag_parallel'))
    .option('--no-retries', 'one attempt for every node')
    .option('--context <json>', 'initial context: a JSON object, or @file')
    .option('--time-scale <factor>', 'duration of tasks of recorded workflows (WfFormat)', parseNonNegative)
    .option('--limit <span>', 'simulated time after which it does not end (default: 365d)', parseDuration)
    .option(
      '--at <time>',
      'when it begins, such as 2026-01-31 (default: an hour before the first wait_until)',
      parseMoment,
    )
    .addHelpText(
      'after',
      `\nSteps, signals and reviews come out as metadata.simulate and --outcomes say, or as the seed does. One seed tells
its story. Exit codes: 0 nothing found, 1 surprising ends or nodes that never ran, 2 wrong usage, 130 interrupted.\n${examples(
        'maestro simulate workflow.yaml',
        'maestro simulate workflow.yaml --seeds 1000 --faults crash,timeout,error',
        'maestro simulate workflow.yaml --seeds 1 --seed 17 --faults error',
      )}`,
    )
    .action(bind(simulate));
}

/** @throws InvalidArgumentError */
function parseFaults(text: string): FaultKind[] {
  const kinds = text.split(',').map((kind) => kind.trim());
  const unknown = kinds.find((kind) => !(FAULTS as readonly string[]).includes(kind));
  if (unknown === undefined) return kinds as FaultKind[];
  throw new InvalidArgumentError(`${JSON.stringify(unknown)} is no fault: there are ${FAULTS.join(', ')}.`);
}

/** @throws InvalidArgumentError */
function parseMoment(text: string): Date {
  const atMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  if (atMs > 0) return new Date(atMs);
  throw new InvalidArgumentError('Write a date after 1970, such as 2026-01-31 or 2026-01-31T08:00:00Z.');
}

async function simulate(context: CommandContext, spec: string, flags: SimulateFlags): Promise<number> {
  const { ui, terminal } = context;
  const initial = flags.context === undefined ? undefined : parseContext(flags.context, terminal.cwd);
  const { workflow, warnings } = await loadWorkflowFile(spec, { timeScale: flags.timeScale });
  for (const warning of warnings) ui.problem(warning);
  const createRedraw = ui.redraws ? (await import('log-update')).createLogUpdate : undefined;
  const line = new SimulationProgressLine(ui, () => terminal.nowMs(), createRedraw);
  const stop = new AbortController();
  const release = terminal.onInterrupt(() => {
    if (stop.signal.aborted) terminal.exitNow(EXIT.interrupted);
    stop.abort();
  });
  const {
    seeds,
    seed: firstSeed,
    faults,
    workers,
    outcomes: outcomesFile,
    mode,
    retries,
    limit,
    at: startAt,
  } = flags;
  try {
    const report = await simulateWorkflow(workflow, {
      ...{ seeds, firstSeed, faults, workers, mode, retries, context: initial, outcomesFile, startAt },
      ...{ limitSeconds: limit === undefined ? undefined : limit / 1000, signal: stop.signal },
      onProgress: (progress) => line.show(progress),
    });
    line.clear();
    const again = (seed: number): string => commandFor(spec, flags, seed);
    if (ui.json) ui.document(documentOf(report, again, stop.signal.aborted));
    else
      for (const text of simulationText(report, { color: ui.color, again, interrupted: stop.signal.aborted }))
        ui.print(text);
    return stop.signal.aborted ? EXIT.interrupted : exitCodeFor(report);
  } finally {
    line.clear();
    release();
  }
}

/** The report for programs: each surprise with the command that shows it again. */
function documentOf(
  report: SimulationReport,
  again: (seed: number) => string,
  interrupted: boolean,
): Record<string, unknown> {
  const surprises = report.surprises.map((each) => ({ ...each, again: again(each.seeds[0]) }));
  return { ...report, surprises, interrupted };
}

function exitCodeFor({ surprises, unreachable }: SimulationReport): number {
  return surprises.length > 0 || (unreachable ?? []).length > 0 ? EXIT.failed : EXIT.success;
}

/** The command line that plays one seed again. */
function commandFor(spec: string, flags: SimulateFlags, seed: number): string {
  const words = ['maestro', 'simulate', spec, '--seeds', '1', '--seed', String(seed)];
  const add = (name: string, value: string | undefined): void =>
    void (value !== undefined && words.push(name, value));
  add('--faults', flags.faults?.join(','));
  add('--workers', flags.workers === 4 ? undefined : String(flags.workers));
  add('--outcomes', flags.outcomes);
  add('--mode', flags.mode === 'dag_parallel' ? undefined : flags.mode);
  if (!flags.retries) words.push('--no-retries');
  add('--context', flags.context);
  add('--time-scale', flags.timeScale?.toString());
  add('--limit', flags.limit === undefined ? undefined : `${flags.limit / 1000}s`);
  add('--at', flags.at?.toISOString());
  return words.map(shellQuote).join(' ');
}
