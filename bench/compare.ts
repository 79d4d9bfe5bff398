import { readFile } from 'node:fs/promises';
import { MaestroError } from '../src/runtime/index.js';
import { grouped, table } from './text.js';
import type { BenchReport, CaseResult } from './types.js';

export interface Comparison {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  /** Rate after over rate before. */
  readonly ratio: number;
  /**
   * The same by what the machine did in each run (geometric mean of the yardsticks): when both were measured at different
   * times, or on different machines, this is the fairer figure.
   */
  readonly adjusted: number;
  /** Whether even the worst of one run is better than the best of the other. */
  readonly clear: boolean;
}

/** Reads a report that `--json` wrote. @throws USAGE when it cannot be read or is none */
export async function readReport(path: string): Promise<BenchReport> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new MaestroError('USAGE', `cannot read the report ${path}: ${(cause as Error).message}`, { cause });
  }
  try {
    const report = JSON.parse(text) as BenchReport;
    if (report.format === 'maestro-bench/1') return report;
  } catch {
    // Told below.
  }
  throw new MaestroError('USAGE', `${path} is no report of this harness`, {
    next: 'Write one with `maestro bench --json > report.json`.',
  });
}

/** What both reports have measured. @throws USAGE when only one of them is warm */
export function compareReports(before: BenchReport, after: BenchReport): Comparison[] {
  if (before.cold !== after.cold)
    throw new MaestroError('USAGE', 'one of the reports was measured with --cold, the other one warm', {
      next: 'Measure both in the same way.',
    });
  const machine = machineRatio(before, after);
  const old = new Map(before.results.map((each): [string, CaseResult] => [each.name, each]));
  return after.results.flatMap((each) => {
    const one = old.get(each.name);
    if (one === undefined) return [];
    const [was, is] = [one.nodes_per_second, each.nodes_per_second];
    const ratio = is.best / was.best;
    const clear = is.worst > was.best || was.worst > is.best;
    return [{ name: each.name, before: was.best, after: is.best, ratio, adjusted: ratio / machine, clear }];
  });
}

function machineRatio(before: BenchReport, after: BenchReport): number {
  const names = Object.keys(after.yardsticks) as (keyof BenchReport['yardsticks'])[];
  const logs = names.map((name) => Math.log(after.yardsticks[name].best / before.yardsticks[name].best));
  return Math.exp(logs.reduce((sum, each) => sum + each, 0) / logs.length);
}

export function comparisonText(comparisons: readonly Comparison[]): string {
  const header = ['CASE', 'BEFORE', 'AFTER', 'RATIO', 'BY THE MACHINE', ''];
  const rows = comparisons.map(({ name, before, after, ratio, adjusted, clear }) => [
    name,
    grouped(before),
    grouped(after),
    ratio.toFixed(2),
    adjusted.toFixed(2),
    clear ? 'clear' : 'within the spread',
  ]);
  return table([header, ...rows]).join('\n');
}
