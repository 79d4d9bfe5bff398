import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maestro, makeFolder } from './support/maestro.js';

interface Report {
  status: string;
  passed: number;
  failed: number;
  skipped: number;
  checks: { name: string; status: string; detail: string }[];
}

let folder: ReturnType<typeof makeFolder>;
beforeAll(() => (folder = makeFolder()));
afterAll(() => folder.remove());

async function check(args: string[], env: Record<string, string> = {}) {
  const { code, out } = await maestro(['check', '--json', ...args], { cwd: folder.path, env });
  return { code, report: JSON.parse(out) as Report };
}
const named = ({ checks }: Report, status: string) =>
  checks.filter((each) => each.status === status).map(({ name }) => name);

describe('maestro check', () => {
  it('passes here, and leaves nothing behind', async () => {
    const temporary = makeFolder();
    const { code, report } = await check([], { TMPDIR: temporary.path });
    expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
    expect({ code, status: report.status, passed: report.passed }).toEqual({
      code: 0,
      status: 'passed',
      passed: 12,
    });
    expect(readdirSync(temporary.path)).toEqual([]);
    expect(existsSync(`${folder.path}/.maestro`)).toBe(false);
    temporary.remove();
  });

  it('leaves out what takes time when asked, and is readable', async () => {
    const { code, report } = await check(['--quick']);
    expect({ code, failed: report.failed }).toEqual({ code: 0, failed: 0 });
    expect(named(report, 'skipped')).toContain('resume after a kill');
    const { out } = await maestro(['check', '--quick'], { cwd: folder.path });
    expect(out).toMatch(/^ok {7}modules .*\n/);
    expect(out).toMatch(/6 passed, 0 failed, 6 skipped\n$/);
  });

  it('ends with 1 when something does not work, and checks the rest all the same', async () => {
    // Commands find no touch and no echo's neighbours: what needs them fails.
    const { code, report } = await check([], { PATH: '/nowhere' });
    expect(code).toBe(1);
    expect(named(report, 'failed')).toContain('parallel execution');
    expect(named(report, 'passed')).toEqual(expect.arrayContaining(['modules', 'persistence', 'service']));
  });

  it('ends with 2 when it is not ready', async () => {
    const { code, report } = await check(['--quick'], { TMPDIR: '/nowhere' });
    expect({ code, status: report.status }).toEqual({ code: 2, status: 'not ready' });
    expect(report.checks[0].detail).toMatch(/ENOENT/);
  });
});
