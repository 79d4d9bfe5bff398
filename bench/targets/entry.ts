import { parseArgs } from 'node:util';
import { isMaestroError } from '../../src/runtime/index.js';
import { machineSince, oneMinuteLoad } from '../harness.js';
import { Meter } from './meter.js';
import { ROWS, type Row } from './rows.js';
import { targetsText } from './text.js';
import type { RowResult, TargetReport } from './types.js';

const HELP = `npm run bench:targets -- [row...] [--quick] [--repetitions N] [--json]

Measures the targets, each thing in a process of its own and each bound beside what it bounds.
Exits with 1 when one was missed. Rows:
${ROWS.map(({ row, work, durability }) => `  ${row.padEnd(18)} ${work}, ${durability}`).join('\n')}
`;

/** So that a store of a million executions does not stay in the temporary folder. */
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      repetitions: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const repetitions = Number(values.repetitions ?? (values.quick ? 1 : 3));
  const unknown = positionals.find((each) => !ROWS.some(({ row }) => row === each));
  if (unknown !== undefined || !(Number.isInteger(repetitions) && repetitions > 0)) {
    process.stderr.write(
      `${unknown === undefined ? '--repetitions is a number' : `no row ${unknown}`}\n${HELP}`,
    );
    return 2;
  }
  const chosen = ROWS.filter(({ row }) => positionals.length === 0 || positionals.includes(row));
  const report = await measureTargets(chosen, values.quick, repetitions);
  process.stdout.write(`${values.json ? JSON.stringify(report, null, 2) : targetsText(report)}\n`);
  const isMissed = report.rows.some(({ checks }) => checks.some(({ pass }) => !pass));
  return isMissed && !values.quick ? 1 : 0;
}

async function measureTargets(
  rows: readonly Row[],
  quick: boolean,
  repetitions: number,
): Promise<TargetReport> {
  const date = new Date().toISOString();
  const loadBefore = oneMinuteLoad();
  let now = '';
  const meter = new Meter({
    quick,
    repetitions,
    signal: interrupt.signal,
    onProgress: (what) => process.stderr.write(`${now}: ${what}\n`),
  });
  const results: RowResult[] = [];
  for (const [k, each] of rows.entries()) {
    const { row, work, durability } = each;
    now = `[${k + 1}/${rows.length}] ${row}`;
    const skipped = each.skip?.();
    const { checks, notes = [] } = skipped === undefined ? await each.measure(meter) : { checks: [] };
    results.push({ row, work, durability, checks, notes, ...(skipped !== undefined && { skipped }) });
  }
  const machine = machineSince(loadBefore);
  const yardsticks = meter.yardsticks();
  return { format: 'maestro-targets/1', date, machine, quick, repetitions, yardsticks, rows: results };
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!interrupt.signal.aborted)
    process.stderr.write(`${isMaestroError(error) ? `${error.message} [${error.code}]` : String(error)}\n`);
  process.exitCode = interrupt.signal.aborted ? 130 : 1;
}
