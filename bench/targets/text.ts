import { grouped, machineText, spreadText, table } from '../text.js';
import type { Check, TargetReport } from './types.js';

/** A report for people. */
export function targetsText({ date, machine, quick, repetitions, yardsticks, rows }: TargetReport): string {
  const checks = rows.flatMap((row) => row.checks);
  const passed = checks.filter(({ pass }) => pass).length;
  const header = ['', 'REACHED', 'TARGET', '÷ TARGET', ''];
  const [top, ...lines] = table([header, ...checks.map(lineOf)]);
  return [
    `${machineText(machine)}; best of ${repetitions}; ${date}`,
    ...(quick
      ? ['--quick: small sizes; this shows that everything can be measured, and judges nothing']
      : []),
    '',
    ...(Object.keys(yardsticks).length > 0 ? ['what the machine did beside it, per second:'] : []),
    ...table(Object.entries(yardsticks).map(([name, spread]) => [`  ${name}`, ...spreadText(spread)])),
    '',
    top,
    ...rows.flatMap(({ row, work, durability, checks: own, notes, skipped }) => [
      `${row}: ${work}${durability === 'none' ? '' : `, ${durability}`}`,
      ...lines.splice(0, own.length),
      ...(skipped === undefined ? [] : [`  skipped: ${skipped}`]),
      ...notes.map((note) => `    ${note}`),
    ]),
    '',
    `${passed} of ${checks.length} reached`,
  ].join('\n');
}

function lineOf(check: Check): string[] {
  const { what, bound, reached, ratio, pass } = check;
  const against = bound === undefined ? '' : `, beside ${bound.what}`;
  return [
    `  ${what}${against}`,
    number(reached),
    goalText(check),
    number(ratio),
    pass ? 'reached' : 'MISSED',
  ];
}

function goalText({ goal, atLeast, part, bound }: Check): string {
  const sign = atLeast ? '≥' : '≤';
  if (bound === undefined) return `${sign} ${number(goal)}`;
  return `${sign} ${number(goal)} = ${part} × ${number(bound.value)}`;
}

/** As many digits as say something. */
function number(value: number): string {
  return Math.abs(value) < 10 ? String(Number(value.toPrecision(3))) : grouped(value);
}
