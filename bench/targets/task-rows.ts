import { availableParallelism } from 'node:os';
import { casesOf } from '../matrix.js';
import type { SpinPoint } from '../text.js';
import { metgOfPoints } from '../text.js';
import { atLeast, atMost } from './checks.js';
import type { Meter } from './meter.js';
import type { Row } from './rows.js';

const THREADS = 2;
const SPINS_US = [5, 10, 20, 30, 50, 100, 200, 500, 1000];
/** Longer tasks say nothing about METG when shorter ones are past it. */
const ENOUGH = 0.6;
const MEAN_MIXED_SECONDS = 0.9 * 50e-6 + 0.1 * 20e-3;
const CORES = Math.min(THREADS, availableParallelism());

async function efficiencies(meter: Meter): Promise<SpinPoint[]> {
  const points: SpinPoint[] = [];
  for (const microseconds of meter.size(SPINS_US, [10, 1000])) {
    const size = meter.size({ nodes: [10_000], width: 100 }, { nodes: [400], width: 20 });
    const bodies = [`spin:${microseconds}`];
    const [each] = casesOf({ shapes: ['layered'], bodies, ...size, workers: THREADS });
    const { best } = await meter.beside(each);
    const efficiency = (best.nodes * microseconds) / 1e6 / (best.seconds * CORES);
    points.push({ microseconds, efficiency });
    if (efficiency >= ENOUGH) break;
  }
  return points;
}

/** How well steps that take their time share the cores. */
export const taskRows: readonly Row[] = [
  {
    row: 'metg',
    work: 'METG(50%), layered 10,000 (100 × 100), 2 threads, LMDB',
    durability: 'sync',
    async measure(meter) {
      const points = await efficiencies(meter);
      // Not reached with any length that was tried: that much is certain.
      const reached = metgOfPoints(points) ?? Infinity;
      return {
        checks: [atMost('µs', reached, 30)],
        notes: [
          points
            .map(({ microseconds, efficiency }) => `${microseconds} µs: ${Math.round(efficiency * 100)}%`)
            .join(', '),
        ],
      };
    },
  },
  {
    row: 'mixed',
    work: 'tasks of 50 µs (90%) and 20 ms (10%), shuffled, 2 threads, LMDB',
    durability: 'sync',
    async measure(meter) {
      const nodes = meter.size(2000, 100);
      const [each] = casesOf({
        shapes: ['layered'],
        bodies: ['mixed'],
        nodes: [nodes],
        width: nodes,
        workers: THREADS,
      });
      const { best } = await meter.beside(each);
      const ideal = (best.nodes * MEAN_MIXED_SECONDS) / CORES;
      return {
        checks: [atLeast('part of the ideal (work ÷ cores)', ideal / best.seconds, 0.9)],
        notes: [
          `${best.nodes} nodes that depend on nothing: ${best.seconds.toFixed(2)} s, ideal ${ideal.toFixed(2)} s`,
        ],
      };
    },
  },
];
