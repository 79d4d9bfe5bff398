import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bodiesOf, meanSeconds } from '../../bench/bodies.js';
import { atLeast, atMost, partOf } from '../../bench/targets/checks.js';
import { ROWS } from '../../bench/targets/rows.js';
import { targetsText } from '../../bench/targets/text.js';
import type { TargetReport } from '../../bench/targets/types.js';

const spread = { best: 50, median: 45, worst: 40 };

describe('targets', () => {
  it('are reached or not', () => {
    expect(atLeast('x', 100, 100)).toMatchObject({ ratio: 1, pass: true });
    expect(atLeast('x', 80, 100)).toMatchObject({ ratio: 0.8, pass: false });
    expect(atMost('x', 1.2, 1.2)).toMatchObject({ ratio: 1, pass: true });
    expect(atMost('x', Infinity, 30).pass).toBe(false);
    const bound = { what: 'fdatasync', value: 100 };
    expect(partOf('x', spread, 0.5, bound)).toMatchObject({ reached: 50, goal: 50, pass: true, bound });
    expect(partOf('x', spread, 0.6, bound).pass).toBe(false);
  });

  it('have names of their own, and are all in the guide', () => {
    const guide = readFileSync(join(import.meta.dirname, '../../bench/README.md'), 'utf8');
    expect(new Set(ROWS.map(({ row }) => row)).size).toBe(ROWS.length);
    for (const { row } of ROWS) expect(guide).toContain(`\`${row}\``);
  });

  it('are told with machine, durability, bound, and what was skipped', () => {
    const rows: TargetReport['rows'] = [
      {
        row: 'a',
        work: 'chain',
        durability: 'sync',
        checks: [partOf('nodes/s', spread, 0.7, { what: 'fdatasync', value: 1000 }), atMost('µs', 20, 30)],
        notes: ['noted'],
      },
      { row: 'b', work: 'graphs', durability: 'none', checks: [], notes: [], skipped: 'no folder' },
    ];
    const text = targetsText({
      format: 'maestro-targets/1',
      date: '2026-01-01T00:00:00.000Z',
      machine: { node: 'v24', cpu: 'X', cores: 2, load: [0, 1] },
      quick: false,
      repetitions: 3,
      yardsticks: { fdatasync: spread },
      rows,
    });
    for (const part of ['Node v24, 2 × X', 'a: chain, sync', 'beside fdatasync', '≥ 700 = 0.7 × 1,000'])
      expect(text).toContain(part);
    expect(text).toMatch(/nodes\/s.* 50 .* 0\.0714 +MISSED/);
    expect(text).toMatch(/µs +20 +≤ 30 +0\.667 +reached/);
    expect(text).toContain('b: graphs\n  skipped: no folder');
    expect(text).toContain('1 of 2 reached');
  });
});

describe('mixed steps', () => {
  it('are long to a tenth, in an order that the seed decides', () => {
    const long = (seed: number): string => {
      const bodyOf = bodiesOf({ kind: 'mixed' }, 1000, seed);
      return Array.from({ length: 1000 }, (_, node) => meanSeconds(bodyOf(node)))
        .map((seconds) => (seconds > 1e-3 ? 'L' : '.'))
        .join('');
    };
    expect(long(1).replaceAll('.', '')).toHaveLength(100);
    expect(long(1)).toBe(long(1));
    expect(long(1)).not.toBe(long(2));
    // Shuffled: about half of them in each half.
    expect(Math.abs(long(1).slice(500).replaceAll('.', '').length - 50)).toBeLessThan(30);
    expect(meanSeconds({ kind: 'mixed' })).toBeCloseTo(0.002045, 9);
  });
});
