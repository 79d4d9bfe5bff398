import { grouped, machineText, table } from '../../dist/bench/text.js';

/** A report for people. */
export function peersText({ date, machine, repetitions, yardsticks, results }) {
  const measured = results.filter(({ shapes }) => shapes !== undefined);
  const shapes = [...new Set(measured.flatMap((each) => Object.keys(each.shapes)))];
  const cell = (found, value) =>
    found === undefined ? '' : found.nodes_per_second === undefined ? '–' : grouped(value(found));
  const rate = (shape) => (found) =>
    shape === 'many' ? found.executions_per_second.best : found.nodes_per_second.best;
  const ours = measured.find(({ peer }) => peer === 'maestro');
  const sizeOf = (shape) => {
    const { nodes, executions } =
      measured.map((each) => each.shapes[shape]).find((found) => found?.nodes) ?? {};
    return shape === 'many' ? `${executions} × ${nodes / executions}` : String(nodes);
  };
  return [
    `${machineText(machine)}; best of ${repetitions}; ${date}`,
    `4 KiB written and fdatasync: ${grouped(yardsticks.fdatasync_per_second)}/s`,
    '',
    'nodes per second; of many, executions per second:',
    ...table([
      ['', ...shapes.map((shape) => `${shape} ${sizeOf(shape)}`)],
      ...measured.map(({ peer, version, shapes: own }) => [
        `  ${peer} ${version}`,
        ...shapes.map((shape) => cell(own[shape], rate(shape))),
      ]),
    ]),
    '',
    ...(ours === undefined ? [] : timesFaster(measured, ours, shapes, cell, rate)),
    ...fsyncLines(measured, shapes),
    'durability:',
    ...measured.map(({ peer, durability }) => `  ${peer}: ${durability}`),
    '',
    ...results.flatMap(({ peer, skipped, shapes: own = {} }) => [
      ...(skipped === undefined ? [] : [`${peer} is skipped: ${skipped}`]),
      ...Object.entries(own).flatMap(([shape, { refused, failed }]) =>
        refused === undefined && failed === undefined ? [] : [`${peer}, ${shape}: ${refused ?? failed}`],
      ),
    ]),
    '',
  ].join('\n');
}

function timesFaster(measured, ours, shapes, cell, rate) {
  const others = measured.filter(({ peer }) => !peer.startsWith('maestro'));
  if (others.length === 0) return [];
  return [
    'times that maestro (threads, sync) is as fast:',
    ...table(
      others.map(({ peer, shapes: own }) => [
        `  ${peer}`,
        ...shapes.map((shape) =>
          cell(own[shape], (found) => rate(shape)(ours.shapes[shape]) / rate(shape)(found)),
        ),
      ]),
    ),
    '',
  ];
}

function fsyncLines(measured, shapes) {
  const of = (own, shape) => own[shape]?.fsyncs_per_execution ?? null;
  if (measured.every(({ shapes: own }) => shapes.every((shape) => of(own, shape) === null))) return [];
  return [
    'fsyncs of the process for each execution (those of a server are not seen):',
    ...table(
      measured.map(({ peer, shapes: own }) => [
        `  ${peer}`,
        ...shapes.map((shape) => (of(own, shape) === null ? '–' : grouped(of(own, shape)))),
      ]),
    ),
    '',
  ];
}
