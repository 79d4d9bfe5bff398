import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TargetReport } from '../../bench/targets/types.js';

const MAIN = resolve(import.meta.dirname, '../../dist/bench/targets/entry.js');
const WORKLOADS = resolve(import.meta.dirname, '../../../shared/workloads');

function targets(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...args], (_, out, err) =>
      resolve({ code: child.exitCode!, out, err }),
    );
  });
}

describe('npm run bench:targets', () => {
  it('measures every row, quickly where that is all one wants to see', { timeout: 300_000 }, async () => {
    const { code, out, err } = await targets('--quick', '--json');
    expect([code, err]).toEqual([0, expect.not.stringMatching(/rror/)]);
    const { format, machine, quick, rows, yardsticks } = JSON.parse(out) as TargetReport;
    expect({ format, quick, node: machine.node }).toEqual({
      format: 'maestro-targets/1',
      quick: true,
      node: process.version,
    });
    expect(rows).toHaveLength(16);
    expect(Object.keys(yardsticks)).toHaveLength(12);
    for (const { row, checks, skipped } of rows) {
      if (row === 'makespan' && !existsSync(WORKLOADS)) {
        expect(skipped).toContain('../shared/workloads');
        continue;
      }
      expect(checks.length).toBeGreaterThan(0);
      for (const { reached, goal, ratio, bound } of checks) {
        // METG is null where no length that was tried is long enough.
        expect(reached === null ? row : reached).toSatisfy(
          (value: unknown) => value === 'metg' || (value as number) > 0,
        );
        expect(goal).toBeGreaterThan(0);
        if (reached !== null) expect(ratio).toBeCloseTo(reached / goal, 9);
        if (bound !== undefined) expect(bound.value).toBeGreaterThan(0);
      }
    }
  });

  it('takes rows by name, and says which there are', async () => {
    const { code, out } = await targets('chain-async', '--quick');
    expect(code).toBe(0);
    expect(out).toMatch(/[01] of 1 reached/);
    expect(out).toContain('chain-async: chain 100');
    expect(await targets('no-such')).toMatchObject({
      code: 2,
      err: expect.stringContaining('recovery-million'),
    });
    expect(await targets('--quick', '--repetitions', 'x')).toMatchObject({ code: 2 });
    expect((await targets('--help')).out).toContain('makespan');
  });
});
