import { scaleLinear, scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import { grouped, spinSeries } from './text.js';
import type { BenchReport, CaseResult } from './types.js';

interface Point {
  readonly x: number;
  readonly y: number;
}

interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: ReadonlyMap<string, readonly Point[]>;
  /** Of y; x is always logarithmic. */
  readonly scale: 'log' | 'part';
}

const WIDTH = 860;
const HEIGHT = 460;
const PLOT = { left: 80, right: 830, top: 50, bottom: 400 };
const LEGEND_LINE = 18;
/** Colours that people who see few colours can tell apart (Okabe and Ito). */
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];

/** The charts that a report has data for, by file name without its ending. */
export function chartsOf(report: BenchReport): Map<string, string> {
  const { node, cpu, cores } = report.machine;
  const where = `Node ${node}, ${cores} × ${cpu}`;
  const charts: [string, Chart][] = [
    [
      'rate-by-size',
      {
        title: `Nodes per second by size of the graph (${where})`,
        xLabel: 'nodes',
        yLabel: 'nodes/s',
        series: rateSeries(report.results),
        scale: 'log',
      },
    ],
    [
      'efficiency-by-task-length',
      {
        title: `Part of the cores' time that is work of tasks (${where})`,
        xLabel: 'task length, µs',
        yLabel: 'efficiency',
        series: new Map(
          [...spinSeries(report.results)].map(([name, points]) => [
            name,
            points.map(({ microseconds, efficiency }) => ({ x: microseconds, y: efficiency })),
          ]),
        ),
        scale: 'part',
      },
    ],
  ];
  return new Map(
    charts
      .map(([name, chart]): [string, Chart] => [name, { ...chart, series: lines(chart.series) }])
      .filter(([, { series }]) => series.size > 0)
      .map(([name, chart]) => [name, svgOf(chart)]),
  );
}

/** A single point is no line. */
function lines(series: Chart['series']): Chart['series'] {
  return new Map([...series].filter(([, points]) => points.length > 1));
}

/** Cases that differ only in their number of nodes. */
function rateSeries(results: readonly CaseResult[]): Map<string, Point[]> {
  const series = new Map<string, Point[]>();
  for (const { name, nodes, nodes_per_second, case: each } of results) {
    const rest = name.replace(/^(\w+) \d+/, '$1');
    if (each.shape === 'file') continue;
    const points = series.get(rest) ?? [];
    points.push({ x: nodes, y: nodes_per_second.best });
    series.set(rest, points);
  }
  for (const points of series.values()) points.sort((a, b) => a.x - b.x);
  return series;
}

function svgOf({ title, xLabel, yLabel, series, scale }: Chart): string {
  const points = [...series.values()].flat();
  const extent = (values: number[]): [number, number] => [Math.min(...values), Math.max(...values)];
  const x = scaleLog(extent(points.map((point) => point.x)), [PLOT.left, PLOT.right]);
  const y =
    scale === 'part'
      ? scaleLinear([0, 1], [PLOT.bottom, PLOT.top])
      : scaleLog(extent(points.map((point) => point.y)), [PLOT.bottom, PLOT.top]).nice();
  const path = line<Point>(
    (point) => x(point.x),
    (point) => y(point.y),
  );
  const height = HEIGHT + series.size * LEGEND_LINE;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    text(WIDTH / 2, 24, title, 'middle', 15),
    ...x.ticks(6).flatMap((at) => gridLine(x(at), PLOT.top, x(at), PLOT.bottom)),
    ...labelled(x.ticks(6), x).map(([at, name]) => text(at, PLOT.bottom + 18, name, 'middle')),
    ...y.ticks(6).flatMap((at) => gridLine(PLOT.left, y(at), PLOT.right, y(at))),
    ...labelled(y.ticks(6), y).map(([at, name]) => text(PLOT.left - 8, at + 4, name, 'end')),
    text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 38, xLabel, 'middle'),
    text(PLOT.left, PLOT.top - 10, yLabel, 'end'),
    ...[...series].flatMap(([name, some], k) => {
      const color = COLORS[k % COLORS.length];
      const legendY = HEIGHT + k * LEGEND_LINE;
      return [
        `<path d="${path(some)}" fill="none" stroke="${color}" stroke-width="2"/>`,
        ...some.map(
          (point) => `<circle cx="${near(x(point.x))}" cy="${near(y(point.y))}" r="3" fill="${color}"/>`,
        ),
        `<rect x="${PLOT.left}" y="${legendY - 10}" width="14" height="10" fill="${color}"/>`,
        text(PLOT.left + 22, legendY, name, 'start'),
      ];
    }),
    '</svg>\n',
  ].join('\n');
}

/** Ticks with names: on a logarithmic axis only powers of ten, and twice and five times those. */
function labelled(ticks: readonly number[], at: (value: number) => number): [number, string][] {
  const firsts = new Set(['1', '2', '5']);
  const isNamed = (value: number): boolean => value < 1 || firsts.has(value.toExponential()[0]);
  return ticks.filter(isNamed).map((value) => [at(value), grouped(value)]);
}

function gridLine(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${near(x1)}" y1="${near(y1)}" x2="${near(x2)}" y2="${near(y2)}" stroke="#ddd"/>`;
}

function text(x: number, y: number, value: string, anchor: string, size = 12): string {
  return `<text x="${near(x)}" y="${near(y)}" text-anchor="${anchor}" font-size="${size}">${escaped(value)}</text>`;
}

function near(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
