import type { BenchReport, CaseResult, Machine, Spread } from './types.js';

type Row = readonly string[];

/** A report for people. */
export function reportText(report: BenchReport): string {
  const { machine, yardsticks, results, repetitions, cold } = report;
  const { piscina_per_second, fdatasync_per_second, lmdb_puts_per_second } = yardsticks;
  const header = [
    'CASE',
    'NODES/S',
    'WORST',
    'EXEC/S',
    'P50',
    'P95',
    'P99',
    'COMMITS',
    'FSYNC/EX',
    'B/NODE',
    'RSS',
  ];
  const metg = metgOf(results);
  return [
    `${machineText(machine)}; best of ${repetitions}${cold === true ? ', cold' : ''}`,
    '',
    'what the machine can do, per second:',
    ...table([
      ['  piscina, a message for each task', ...spreadText(piscina_per_second)],
      ['  4 KiB written and fdatasync', ...spreadText(fdatasync_per_second)],
      ['  rows into LMDB, 1,000 to a commit', ...spreadText(lmdb_puts_per_second)],
    ]),
    '',
    ...table([
      [...header, '× PISCINA', '× PROMISES', 'EFFICIENCY'],
      ...results.map((each) => row(each, report)),
    ]),
    ...metg.map(({ series, microseconds }) => {
      const size = microseconds === null ? 'not reached' : `${microseconds} µs`;
      return `METG(50%) of ${series}: ${size}`;
    }),
  ].join('\n');
}

export function machineText({ node, cores, cpu, load }: Machine): string {
  return `Node ${node}, ${cores} × ${cpu}, load ${load.join(' → ')}`;
}

export function spreadText({ best, worst }: Spread): Row {
  return [grouped(best), `(worst ${grouped(worst)})`];
}

function row(each: CaseResult, { yardsticks }: BenchReport): Row {
  const { nodes_per_second: rate, latency_ms, efficiency } = each;
  const { p50, p95, p99 } = latency_ms ?? {};
  return [
    each.name,
    grouped(rate.best),
    grouped(rate.worst),
    grouped(each.executions_per_second),
    ...[p50, p95, p99].map((ms) => (ms === undefined ? '–' : `${ms.toFixed(ms < 10 ? 2 : 0)} ms`)),
    grouped(each.commits),
    `${each.fsyncs.counted_by === 'commits' ? '~' : ''}${grouped(each.fsyncs.per_execution)}`,
    grouped(each.bytes_per_node),
    `${each.peak_rss_mib} MiB`,
    (rate.best / yardsticks.piscina_per_second.best).toFixed(2),
    (rate.best / each.promises_per_second).toFixed(3),
    efficiency === null ? '–' : `${Math.round(efficiency * 100)}%`,
  ];
}

export function grouped(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 1 : 0 });
}

/** Columns, the first to the left and the others to the right. */
export function table(rows: readonly Row[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  );
}

export interface Metg {
  readonly series: string;
  /** null: even the longest task kept less than half of the cores busy. */
  readonly microseconds: number | null;
}

/**
 * The minimum effective task granularity of Task Bench (Slaughter et al., SC 2020): the shortest task at which half of
 * the cores' time is work of tasks. Between two measured lengths it lies on a straight line over the logarithm.
 */
export function metgOf(results: readonly CaseResult[]): Metg[] {
  return [...spinSeries(results)].flatMap(([series, points]): Metg[] =>
    points.length < 2 ? [] : [{ series, microseconds: metgOfPoints(points) }],
  );
}

/** Of points in the order of their lengths; null as in Metg. */
export function metgOfPoints(points: readonly SpinPoint[], share = 0.5): number | null {
  const above = points.findIndex(({ efficiency }) => efficiency >= share);
  if (above < 0) return null;
  if (above === 0) return points[0].microseconds;
  const [low, high] = [points[above - 1], points[above]];
  const part = (share - low.efficiency) / (high.efficiency - low.efficiency);
  const log = Math.log(low.microseconds) + part * Math.log(high.microseconds / low.microseconds);
  return Math.round(Math.exp(log) * 10) / 10;
}

export interface SpinPoint {
  readonly microseconds: number;
  readonly efficiency: number;
}

/** Cases that differ only in how long their tasks spin, shortest first, by what they are called without it. */
export function spinSeries(results: readonly CaseResult[]): Map<string, SpinPoint[]> {
  const series = new Map<string, SpinPoint[]>();
  for (const { name, case: each, efficiency } of results) {
    if (each.body.kind !== 'spin' || efficiency === null || !(each.body.microseconds > 0)) continue;
    const rest = name.replace(/, spin [^,]+/, '');
    const points = series.get(rest) ?? [];
    points.push({ microseconds: each.body.microseconds, efficiency });
    series.set(rest, points);
  }
  for (const points of series.values()) points.sort((a, b) => a.microseconds - b.microseconds);
  return series;
}
