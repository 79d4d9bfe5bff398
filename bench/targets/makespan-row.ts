import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { atMost } from './checks.js';
import type { Row } from './rows.js';
import type { Makespans } from './types.js';

/** Recorded workflows beside the repository; from the built file and from the source alike. */
const FOLDER = ['../../../shared/workloads', '../../../../shared/workloads']
  .map((path) => resolve(import.meta.dirname, path))
  .find(existsSync);
const WORKERS = [2, 4, 8, 16, 32, 64];

/** How well the order of starting uses the workers, in simulated time. */
export const makespanRow: Row = {
  row: 'makespan',
  work: 'makespan of recorded workflows, simulated with 2 to 64 workers',
  durability: 'none',
  skip: () => (FOLDER === undefined ? 'there is no ../shared/workloads beside this repository' : undefined),
  async measure(meter) {
    const files = readdirSync(FOLDER!).filter((name) => /\.json(?:\.gz)?$/.test(name));
    const workers = meter.size(WORKERS, [2, 8]);
    const all: ({ file: string } & Makespans)[] = [];
    for (const file of meter.size(files, files.slice(0, 3))) {
      const probe = { kind: 'makespans', file: join(FOLDER!, file), workers } as const;
      const found = await meter.probe<Makespans[]>(probe, `makespan of ${file}`);
      all.push(...found.map((each) => ({ file, ...each })));
    }
    const ofBest = all.map((each) => each.maestro / Math.min(each.fifo, each.heft));
    const ofBound = all.map((each) => Math.log(each.maestro / each.bound));
    const worst = ofBest.indexOf(Math.max(...ofBest));
    const mean = Math.exp(ofBound.reduce((sum, each) => sum + each, 0) / ofBound.length);
    const meanOf = (pick: (each: Makespans) => number): string =>
      Math.exp(all.reduce((sum, each) => sum + Math.log(pick(each) / each.bound), 0) / all.length).toFixed(3);
    return {
      checks: [
        atMost('÷ the better of FIFO and HEFT, worst case', ofBest[worst], 1.05),
        atMost('÷ max(critical path, work / workers), geometric mean', mean, 1.1),
      ],
      notes: [
        `worst: ${all[worst].file} with ${all[worst].workers} workers`,
        `over ${all.length} runs of ${new Set(all.map(({ file }) => file)).size} graphs that have durations; by the same mean FIFO is at ${meanOf((each) => each.fifo)}, HEFT at ${meanOf((each) => each.heft)}`,
      ],
    };
  },
};
