import type { Colors } from 'picocolors/types.js';
import { SEEDS_TO_JUDGE, type Makespans, type SimulationReport } from '../../simulation/index.js';
import { cleanLines, count, formatSeconds, formatTable, listSome, oneLine } from '../format/text.js';

export interface SimulationTextOptions {
  readonly color: Colors;
  /** The command that plays a seed again. */
  readonly again: (seed: number) => string;
  readonly interrupted: boolean;
}

const MOST_LISTED = 20;

/** A simulation's report for people, line by line. */
export function simulationText(report: SimulationReport, options: SimulationTextOptions): string[] {
  const { story = [] } = report;
  const told = formatTable(
    story.map(({ at_seconds, text }) => [`+${formatSeconds(at_seconds)}`, oneLine(text)]),
  );
  return [
    ...told,
    ...(told.length > 0 ? [''] : []),
    ...headLines(report, options),
    ...surpriseLines(report, options),
    ...unreachableLines(report, options),
    ...retryLines(report, options),
    ...makespanLines(report),
  ].map(cleanLines);
}

function headLines(report: SimulationReport, { color, interrupted }: SimulationTextOptions): string[] {
  const { workflow_id, seeds, workers, mode, faults, retries, struck, generated, nodes } = report;
  const last = seeds.first + Math.max(0, seeds.run - 1);
  const which =
    seeds.run === 0
      ? 'no seed'
      : `${count(seeds.run, 'seed')} (${seeds.run === 1 ? last : `${seeds.first}–${last}`})`;
  const wrong = faults.map((kind) => `${kind} ${struck[kind]}×`).join(', ');
  const lines = [
    `${color.bold(workflow_id)}: ${which}, ${count(workers, 'worker')}, ${mode}${retries ? '' : ', no retries'}, faults: ${wrong || 'none'}`,
    `  ${endsText(report)}`,
  ];
  if (interrupted)
    lines.push(color.yellow(`  interrupted: ${seeds.run} of ${seeds.wanted} seeds were played`));
  const made = [
    generated.durations > 0 ? `durations of ${generated.durations} of ${nodes} nodes` : '',
    generated.outputs > 0 ? `outputs of ${generated.outputs}` : '',
  ].filter((part) => part !== '');
  if (made.length > 0)
    lines.push(color.dim(`  generated: ${made.join(', ')}; metadata.simulate or --outcomes can say better`));
  return lines;
}

function endsText({ ends, expected_failures }: SimulationReport): string {
  const causes = Object.entries(expected_failures).map(([cause, times]) => `${cause} ${times}×`);
  const why = causes.length === 0 ? '' : ` (nodes failed: ${causes.join(', ')})`;
  const parts = [
    `${ends.completed} completed`,
    ends.failed > 0 ? `${ends.failed} failed${why}` : '',
    ends.cancelled > 0 ? `${ends.cancelled} cancelled` : '',
    ends.open > 0 ? `${ends.open} did not end` : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

function surpriseLines({ surprises, seeds }: SimulationReport, options: SimulationTextOptions): string[] {
  const { color, again } = options;
  if (surprises.length === 0) return ['surprising ends: none'];
  const lines = surprises
    .slice(0, MOST_LISTED)
    .flatMap(({ kind, node_id, message, executions, seeds: [first] }) => [
      `  ${color.red('✗')} ${kind}${node_id === null ? '' : ` ${node_id}`}: ${oneLine(message)}`,
      color.dim(`    in ${executions} of ${seeds.run}; again: ${again(first)}`),
    ]);
  return ['surprising ends:', ...lines, ...moreLine(surprises.length)];
}

function unreachableLines(
  { unreachable, seeds }: SimulationReport,
  { color }: SimulationTextOptions,
): string[] {
  if (unreachable === null) return [`nodes that never ran: not told from fewer than ${SEEDS_TO_JUDGE} seeds`];
  if (unreachable.length === 0) return ['nodes that never ran: none'];
  const lines = unreachable.slice(0, MOST_LISTED).map(({ node_id, after, condition, ends }) => {
    const how = Object.entries(ends).map(([status, times]) => `${status} ${times}×`);
    const why =
      after !== null
        ? `comes after ${after}`
        : condition === null
          ? how.join(', ')
          : `${how.join(', ')}; condition: ${condition}`;
    return `  ${color.red('✗')} ${node_id}: ${oneLine(why)}`;
  });
  return [`nodes that never ran in ${seeds.run} seeds:`, ...lines, ...moreLine(unreachable.length)];
}

function retryLines({ long_retries }: SimulationReport, { color }: SimulationTextOptions): string[] {
  if (long_retries.length === 0) return ['retries that outlive timeouts: none'];
  const lines = long_retries.slice(0, MOST_LISTED).map((each) => {
    const limit = `${formatSeconds(each.timeout_seconds)} for an attempt`;
    const worst = `up to ${formatSeconds(each.worst_seconds)} for ${each.max_attempts} of them with ${formatSeconds(each.delays_seconds)} of delays`;
    const seen = each.seen === null ? '' : `; ${formatSeconds(each.seen.seconds)} in seed ${each.seen.seed}`;
    return `  ${color.yellow('!')} ${each.node_id}: ${limit}, ${worst}${seen}`;
  });
  return ['retries that outlive timeouts:', ...lines, ...moreLine(long_retries.length)];
}

function makespanLines({ makespan_seconds, critical_nodes }: SimulationReport): string[] {
  if (makespan_seconds === null) return ['makespan: no execution completed'];
  const critical = critical_nodes.map(({ node_id, share }) => `${node_id} ${Math.round(share * 100)} %`);
  return [
    `makespan of ${count(makespan_seconds.executions, 'completed execution')}:`,
    `  ${spread(makespan_seconds)}`,
    `  most often waited for: ${listSome(critical, critical.length)}`,
  ];
}

function spread(makespans: Makespans): string {
  if (makespans.min.seconds === makespans.max.seconds)
    return `always ${formatSeconds(makespans.min.seconds)}`;
  const parts = (['min', 'p50', 'p95', 'max'] as const).map((name) => {
    const { seconds, seed } = makespans[name];
    return `${name} ${formatSeconds(seconds)} (seed ${seed})`;
  });
  return parts.join(', ');
}

function moreLine(total: number): string[] {
  return total > MOST_LISTED ? [`  … and ${total - MOST_LISTED} more: --json has them all`] : [];
}
