import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fifoMakespan,
  heftMakespan,
  lowerBound,
  upwardRanks,
  type TimedGraph,
} from '../../bench/targets/schedules.js';

const timedGraphs = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.array(fc.nat(), { maxLength: 3 })), {
    minLength: 1,
    maxLength: 30,
  })
  .map((nodes): TimedGraph => ({
    seconds: nodes.map(([seconds]) => seconds),
    dependencies: nodes.map(([, picks], node) =>
      node === 0 ? [] : [...new Set(picks.map((pick) => pick % node))],
    ),
  }));

describe('schedules', () => {
  // Two short nodes come first, then the one that the long chain begins with.
  const graph: TimedGraph = { seconds: [2, 2, 1, 6], dependencies: [[], [], [], [2]] };

  it('start in the order of the graph, or the longest path first', () => {
    expect([...upwardRanks(graph)]).toEqual([2, 2, 7, 6]);
    // 0 and 1 until 2, then 2 until 3, then 3 until 9; or 2 first, and 3 from 1 to 7.
    expect(fifoMakespan(graph, 2)).toBe(9);
    expect(heftMakespan(graph, 2)).toBe(7);
    expect(lowerBound(graph, 2)).toBe(7);
    expect(lowerBound(graph, 1)).toBe(11);
    expect([fifoMakespan(graph, 1), heftMakespan(graph, 1)]).toEqual([11, 11]);
  });

  it('takes what is ready first when everything is alike', () => {
    const alike: TimedGraph = { seconds: [1, 1, 1, 5], dependencies: [[], [], [], [0]] };
    expect([heftMakespan(alike, 1), fifoMakespan(alike, 1)]).toEqual([8, 8]);
    expect(heftMakespan(alike, 2)).toBe(6);
    // All have rank 3: 0 and 1 until 3, then 2 and 3 one after the other. Last come, first served would end at 5.
    const ties: TimedGraph = { seconds: [3, 3, 1, 2], dependencies: [[], [], [], [2]] };
    expect(heftMakespan(ties, 2)).toBe(6);
  });

  it('are no shorter than the bound, and never longer than greed allows (Graham 1969)', () => {
    fc.assert(
      fc.property(timedGraphs, fc.integer({ min: 1, max: 8 }), (some, workers) => {
        const work = some.seconds.reduce((sum, each) => sum + each, 0);
        const longest = lowerBound(some, Infinity);
        for (const makespan of [fifoMakespan(some, workers), heftMakespan(some, workers)]) {
          expect(makespan).toBeGreaterThanOrEqual(lowerBound(some, workers) - 1e-9);
          expect(makespan).toBeLessThanOrEqual(work / workers + longest * (1 - 1 / workers) + 1e-9);
        }
      }),
    );
  });
});
