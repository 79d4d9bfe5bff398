import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { examples, type Registry } from '../command-registry.js';
import { EXIT } from '../error-report.js';
import { parseCount, parseCounts, parseList, parseWhole } from '../options.js';
import { DURABILITIES } from '../../runtime/index.js';
import type { CommandContext } from '../session.js';

interface BenchFlags {
  nodes?: number[];
  width?: number;
  degree?: number;
  seed: number;
  body?: string[];
  payload: number;
  durability?: string[];
  pool?: string[];
  workers?: number;
  memory?: boolean;
  file?: string[];
  repetitions: number;
  cold?: boolean;
  latency: boolean;
  trace: boolean;
  svg?: string;
}

export function addBenchCommand({ program, bind }: Registry): void {
  const bench = program.command('bench').description('measure how fast this machine runs graphs');
  bench
    .command('run', { isDefault: true })
    .description('measure graphs of some shapes, each with what the machine can do at all beside it')
    .argument(
      '[shapes...]',
      'chain, fan, many, layered, tree, butterfly, stencil, random, file (default: chain fan layered many)',
    )
    .option('--nodes <list>', 'nodes of the graph, such as 1000,10000', parseCounts)
    .option('--width <n>', 'nodes side by side in layered, butterfly and stencil', parseCount)
    .option('--degree <n>', 'dependencies of a node in layered and random, children in tree', parseCount)
    .option('--seed <n>', 'of random graphs', parseWhole, 1)
    .option('--body <list>', 'what steps do: noop, spin:MICROSECONDS, sleep:MILLISECONDS, mixed', parseList)
    .option('--payload <bytes>', 'output of each step', parseWhole, 0)
    .option('--durability <list>', DURABILITIES.join(', '), parseList)
    .option('--pool <list>', 'where steps run: threads, inline, process', parseList)
    .option('--workers <n>', 'threads, processes, or inline functions at once (default: cores)', parseCount)
    .option('--memory', 'keep nothing on disk')
    .option('--file <list>', 'workflow files whose graphs are measured', parseList)
    .option('--repetitions <n>', 'of each measurement; the best counts', parseCount, 3)
    .option('--cold', 'measure everything once, in processes that have just started')
    .option('--no-latency', 'do not measure latencies')
    .option('--no-trace', 'do not count fsyncs with strace')
    .option('--svg <folder>', 'draw charts into a folder')
    .addHelpText(
      'after',
      examples(
        'maestro bench',
        'maestro bench layered --nodes 1000,10000,100000 --svg charts',
        'maestro bench layered --body spin:10,spin:30,spin:100,spin:1000 --svg charts',
        'maestro bench many --durability sync,async --json > report.json',
        'maestro bench compare before.json after.json',
      ),
    )
    .action(bind(run));
  bench
    .command('compare')
    .description('ratios of two reports that --json wrote')
    .argument('<before>', 'report')
    .argument('<after>', 'report')
    .action(bind(compare));
}

/** Loaded when it is needed: no other command waits for its modules. */
const harness = () => import('../../../bench/index.js');

async function run({ ui, terminal }: CommandContext, shapes: string[], flags: BenchFlags): Promise<number> {
  const { width, degree, seed, workers, repetitions, cold, latency, trace } = flags;
  const { casesOf, chartsOf, reportText, runBenchmarks } = await harness();
  const cases = casesOf({
    shapes: shapes.length > 0 ? shapes : undefined,
    nodes: flags.nodes,
    bodies: flags.body,
    durabilities: flags.durability,
    pools: flags.pool,
    stores: flags.memory === true ? ['memory'] : undefined,
    files: flags.file,
    payloadBytes: flags.payload,
    ...{ width, degree, seed, workers },
  });
  const stop = new AbortController();
  const release = terminal.onInterrupt(() => stop.abort());
  try {
    const report = await runBenchmarks(cases, {
      repetitions,
      cold,
      latency,
      trace,
      signal: stop.signal,
      onProgress: (done, total, what) =>
        ui.progress(`[${String(done + 1).padStart(String(total).length)}/${total}] ${what}`),
    });
    if (ui.json) ui.document(report);
    else ui.print(reportText(report));
    if (flags.svg !== undefined) {
      await mkdir(flags.svg, { recursive: true });
      for (const [name, svg] of chartsOf(report)) {
        const path = join(flags.svg, `${name}.svg`);
        await writeFile(path, svg);
        ui.notice(`wrote ${path}`);
      }
    }
    return stop.signal.aborted ? EXIT.interrupted : EXIT.success;
  } catch (error) {
    // Interrupted before anything was measured: what there is to tell is that.
    if (stop.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    release();
  }
}

async function compare({ ui }: CommandContext, before: string, after: string): Promise<number> {
  const { compareReports, comparisonText, readReport } = await harness();
  const comparisons = compareReports(await readReport(before), await readReport(after));
  if (ui.json) ui.document({ comparisons });
  else ui.print(comparisonText(comparisons));
  return EXIT.success;
}
