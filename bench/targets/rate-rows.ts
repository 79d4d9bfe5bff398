import { casesOf, type Matrix } from '../matrix.js';
import type { BenchCase, Job, Spread } from '../types.js';
import { atLeast, atMost, partOf } from './checks.js';
import type { Meter } from './meter.js';
import type { Row } from './rows.js';
import type { Check } from './types.js';

const THREADS = 2;
const FSYNC: Job = { kind: 'fdatasync' };
const BATCHED: Job = { kind: 'piscina-batched', workers: THREADS };
const WRITE_THROUGH: Job = { kind: 'write-through' };
const THREAD_IN_TURN: Job = { kind: 'piscina-in-turn' };
const UNBATCHED: Job = { kind: 'piscina', workers: THREADS };

/** To be within this of what the bare loop does is to be at the limit of the design. */
const LIMIT_PART = 0.8;

/** Against a loop of the same design that does the least it can, on the same graph. */
function partOfBare(rate: Spread, bare: number): Check {
  return partOf('nodes/s', rate, LIMIT_PART, { what: 'a bare loop', value: bare });
}

function bare(each: BenchCase): Job {
  return { kind: 'bare', case: each };
}

function only(matrix: Matrix): BenchCase {
  return casesOf({ workers: THREADS, ...matrix })[0];
}

/** Layers of `width` nodes, each with 3 dependencies. */
function layered(meter: Meter, nodes: number, width: number, more: Matrix): BenchCase {
  const size = meter.size({ nodes: [nodes], width }, { nodes: [400], width: 20 });
  return only({ shapes: ['layered'], ...size, ...more });
}

/** How fast graphs run. */
export const rateRows: readonly Row[] = [
  {
    row: 'layered-memory',
    work: 'layered 10,000 (100 × 100), inline, memory',
    durability: 'none',
    async measure(meter) {
      const each = layered(meter, 10_000, 100, { pools: ['inline'], stores: ['memory'], workers: 100 });
      const { rate, yards } = await meter.beside(each, { kind: 'promises', case: each }, bare(each));
      const promises = { what: 'plain promises', value: yards[0] };
      return { checks: [partOf('nodes/s', rate, 0.4, promises), partOfBare(rate, yards[1])] };
    },
  },
  {
    row: 'layered-sync',
    work: 'layered 10,000 (100 × 100), threads, LMDB',
    durability: 'sync',
    async measure(meter) {
      const each = layered(meter, 10_000, 100, {});
      const { best, rate, yards } = await meter.beside(each, FSYNC, BATCHED, bare(each));
      const generations = best.nodes / each.width!;
      const [fsyncs, batched] = yards;
      const bound = best.nodes / (generations / fsyncs + best.nodes / batched);
      return {
        checks: [
          partOf('nodes/s', rate, 0.6, { what: 'the bound', value: bound }),
          partOfBare(rate, yards[2]),
          atMost('commits for each generation', best.commits / generations, 1.5),
        ],
        notes: [
          'the bound: nodes ÷ (generations × fdatasync + nodes ÷ rate of batched piscina)',
          '"about one commit" is taken as one and a half at most',
        ],
      };
    },
  },
  {
    row: 'layered-wide-sync',
    work: 'layered 100,000 (100 × 1,000), threads, LMDB',
    durability: 'sync',
    async measure(meter) {
      const each = layered(meter, 100_000, 1000, {});
      const { best, rate, yards } = await meter.beside(each, UNBATCHED, { kind: 'lmdb' }, bare(each));
      const bound = { what: 'piscina, a message for each task', value: yards[0] };
      return {
        checks: [
          atLeast('nodes/s', rate.best, 250_000, { spread: rate }),
          partOf('nodes/s', rate, 5, bound),
          partOfBare(rate, yards[2]),
        ],
        notes: [
          `LMDB alone takes ${Math.round(yards[1])} rows of 100 bytes a second; ` +
            `here it took ${Math.round(best.bytes / best.nodes)} bytes a node in ${best.commits} commits`,
        ],
      };
    },
  },
  {
    row: 'layered-async',
    work: 'layered 10,000 (100 × 100), threads, LMDB',
    durability: 'async',
    async measure(meter) {
      const each = layered(meter, 10_000, 100, { durabilities: ['async'] });
      const { rate, yards } = await meter.beside(each, bare(each));
      const checks = [atLeast('nodes/s', rate.best, 200_000, { spread: rate }), partOfBare(rate, yards[0])];
      return { checks };
    },
  },
  {
    row: 'fan',
    work: 'fan 1 + 1,000 + 1, threads, LMDB',
    durability: 'sync',
    async measure(meter) {
      const nodes = [meter.size(1002, 102)];
      const each = only({ shapes: ['fan'], nodes });
      const { rate, yards } = await meter.beside(each, bare(each));
      const checks = [atLeast('nodes/s', rate.best, 100_000, { spread: rate }), partOfBare(rate, yards[0])];
      return { checks };
    },
  },
  {
    row: 'many',
    work: 'many: 1,000 × 6 nodes, threads, LMDB',
    durability: 'sync',
    async measure(meter) {
      const nodes = [meter.size(6000, 120)];
      const each = only({ shapes: ['many'], nodes });
      const { best, rate, yards } = await meter.beside(each, bare(each));
      const executions = best.executions / best.seconds;
      return { checks: [atLeast('executions/s', executions, 15_000), partOfBare(rate, yards[0])] };
    },
  },
  {
    row: 'chain-sync',
    work: 'chain 100, threads, LMDB',
    durability: 'sync',
    async measure(meter) {
      const nodes = [meter.size(100, 20)];
      const each = only({ shapes: ['chain'], nodes });
      const { rate, yards } = await meter.beside(each, FSYNC, WRITE_THROUGH, THREAD_IN_TURN);
      const [fsyncs, writes, trips] = yards;
      const limit = {
        what: 'a write through and a round trip to a thread',
        value: 1 / (1 / writes + 1 / trips),
      };
      return {
        checks: [
          partOf('nodes/s', rate, 0.7, { what: 'fdatasync', value: fsyncs }),
          partOf('nodes/s', rate, 0.8, limit),
        ],
        notes: [
          'the second line is the limit where the event loop is not blocked: each node is one write to disk and one trip',
        ],
      };
    },
  },
  {
    row: 'chain-async',
    work: 'chain 100, threads, LMDB',
    durability: 'async',
    async measure(meter) {
      const each = only({
        shapes: ['chain'],
        nodes: [meter.size(100, 20)],
        durabilities: ['async'],
      });
      const { rate, yards } = await meter.beside(each, THREAD_IN_TURN);
      const bound = { what: 'piscina, one task after the other', value: yards[0] };
      return { checks: [partOf('nodes/s', rate, 0.8, bound)] };
    },
  },
];
