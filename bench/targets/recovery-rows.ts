import { inFolder } from '../folder.js';
import { atMost } from './checks.js';
import type { Meter } from './meter.js';
import type { Row } from './rows.js';
import type { Probe } from './types.js';

/** A process is killed in the middle; how long another one needs. */
async function secondsToRecover(meter: Meter, interrupt: Probe, recover: Probe): Promise<number> {
  await meter.probe(interrupt, 'what a kill will interrupt');
  return Math.min(...(await meter.repeated(() => meter.probe<number>(recover, 'recovery'))));
}

/** From the call that opens the store in a new process, after a kill. */
export const recoveryRows: readonly Row[] = [
  {
    row: 'recovery-many',
    work: '10,000 interrupted executions, every one dispatching again',
    durability: 'sync',
    measure: (meter) =>
      inFolder(async (folder) => {
        const executions = meter.size(10_000, 100);
        const seconds = await secondsToRecover(
          meter,
          { kind: 'interrupt-many', folder, executions },
          { kind: 'recover-many', folder, executions },
        );
        return {
          checks: [atMost('seconds', seconds, 2)],
          notes: ['six nodes each, killed in the second; until the second has begun again in all of them'],
        };
      }),
  },
  {
    row: 'recovery-million',
    work: 'a half-done execution of 1,000,000 nodes, dispatching again',
    durability: 'sync',
    measure: (meter) =>
      inFolder(async (folder) => {
        const nodes = meter.size(1_000_000, 10_000);
        const seconds = await secondsToRecover(
          meter,
          { kind: 'interrupt-large', folder, nodes },
          { kind: 'recover-large', folder },
        );
        return {
          checks: [atMost('seconds', seconds, 4)],
          notes: ['its definition is read from the store; until the first event of a node that has started'],
        };
      }),
  },
];
