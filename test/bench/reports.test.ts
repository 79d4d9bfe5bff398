import { describe, expect, it } from 'vitest';
import { compareReports } from '../../bench/compare.js';
import { nameOf, spreadOf } from '../../bench/harness.js';
import { casesOf } from '../../bench/matrix.js';
import { chartsOf } from '../../bench/svg.js';
import { metgOf, reportText } from '../../bench/text.js';
import type { BenchCase, BenchReport, CaseResult } from '../../bench/types.js';

const resultOf = (each: BenchCase, rates: number[], efficiency: number | null = null): CaseResult => ({
  name: nameOf(each),
  case: each,
  nodes: each.nodes,
  executions: 1,
  nodes_per_second: spreadOf(rates),
  executions_per_second: 1,
  latency_ms: { p50: 0.5, p95: 1, p99: 20 },
  commits: 3,
  fsyncs: { counted_by: 'strace', per_execution: 3, per_commit: 1, synchronous_writes_per_commit: 1 },
  bytes_per_node: 100,
  peak_rss_mib: 90,
  efficiency,
  promises_per_second: 1_000_000,
});

function report(results: CaseResult[], machine = 1): BenchReport {
  const yardstick = spreadOf([1000 * machine]);
  return {
    format: 'maestro-bench/1',
    date: '2026-01-01T00:00:00.000Z',
    machine: { node: 'v20', cpu: 'A & B', cores: 2, load: [0, 1] },
    repetitions: 1,
    yardsticks: {
      piscina_per_second: yardstick,
      fdatasync_per_second: yardstick,
      lmdb_puts_per_second: yardstick,
    },
    results,
  };
}

const spins = (efficiencies: Record<number, number>) =>
  Object.entries(efficiencies).map(([us, efficiency]) =>
    resultOf(casesOf({ shapes: ['layered'], bodies: [`spin:${us}`] })[0], [100], efficiency),
  );

describe('METG', () => {
  it('lies between the tasks that keep less and more than half of the cores busy', () => {
    // Half way from 0.4 to 0.6, over the logarithm: the square root of 10 × 1000.
    expect(metgOf(spins({ 1000: 0.6, 10: 0.4 })).map(({ microseconds }) => microseconds)).toEqual([100]);
    expect(metgOf(spins({ 10: 0.5, 100: 0.9 }))[0].microseconds).toBe(10);
  });

  it('says when no task is long enough, and nothing for a single one', () => {
    expect(metgOf(spins({ 10: 0.1, 100: 0.2 }))[0].microseconds).toBe(null);
    expect(metgOf(spins({ 10: 0.7 }))).toEqual([]);
  });

  it('is told of each kind of case by itself', () => {
    const mixed = [
      ...spins({ 1: 0.2, 100: 0.8 }),
      ...casesOf({ shapes: ['chain'], bodies: ['spin:1', 'noop'] }).map((each) => resultOf(each, [1], 0.1)),
    ];
    expect(metgOf(mixed).map(({ series }) => series)).toEqual([
      nameOf(casesOf({ shapes: ['layered'] })[0]).replace(', noop', ''),
    ]);
  });
});

describe('two reports', () => {
  const [chain, fan] = casesOf({ shapes: ['chain', 'fan'] });

  it('are compared by what both have, and by what the machine did', () => {
    const before = report([resultOf(chain, [90, 100]), resultOf(fan, [50])], 1);
    const after = report([resultOf(chain, [250, 300])], 2);
    expect(compareReports(before, after)).toEqual([
      { name: nameOf(chain), before: 100, after: 300, ratio: 3, adjusted: 1.5, clear: true },
    ]);
    expect(
      compareReports(report([resultOf(chain, [90, 100])]), report([resultOf(chain, [99, 120])])),
    ).toMatchObject([{ ratio: 1.2, clear: false }]);
  });

  it('are not compared when only one is warm', () => {
    const warm = report([resultOf(chain, [100])]);
    expect(() => compareReports({ ...warm, cold: true }, warm)).toThrow('--cold');
    expect(reportText({ ...warm, cold: true })).toContain('best of 1, cold');
    expect(reportText(warm)).not.toContain('cold');
  });

  it('name a case the same whatever else was measured', () => {
    const names = casesOf({ shapes: ['fan', 'chain'], bodies: ['noop', 'spin:3'], stores: ['memory'] }).map(
      nameOf,
    );
    expect(new Set(names).size).toBe(4);
    expect(casesOf({ shapes: ['chain'], stores: ['memory'] }).map(nameOf)).toEqual([names[2]]);
  });
});

describe('a report', () => {
  const sizes = casesOf({ shapes: ['layered'], nodes: [100, 10_000] });
  const whole = report([
    ...sizes.map((each) => resultOf(each, [each.nodes])),
    ...spins({ 10: 0.2, 1000: 0.9 }),
  ]);

  it('is readable', () => {
    const text = reportText(whole);
    expect(text).toContain('layered 10000, noop');
    expect(text).toMatch(/METG\(50%\) of layered 10000.*: \d+(\.\d)? µs/);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(220);
  });

  it('has charts of what there are two points of, with names that are safe in XML', () => {
    const charts = chartsOf(whole);
    expect([...charts.keys()]).toEqual(['rate-by-size', 'efficiency-by-task-length']);
    for (const svg of charts.values()) {
      expect(svg).toMatch(/^<svg [^]*<\/svg>\n$/);
      expect(svg).toContain('A &amp; B');
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
      expect(svg.match(/<path /g)!.length).toBe(1);
      expect(svg.match(/<circle /g)!.length).toBe(2);
    }
    expect(chartsOf(report([resultOf(sizes[0], [1])])).size).toBe(0);
  });
});
