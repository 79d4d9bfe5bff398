import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TEMPLATES } from '../support/template-run.js';
import { maestro, makeFolder } from './support/maestro.js';

type States = Record<string, { status: string; metadata: Record<string, unknown> }>;
const folder = makeFolder();
const options = { cwd: folder.path };
beforeAll(() => cpSync(join(TEMPLATES, 'hello'), folder.path, { recursive: true }));
afterAll(folder.remove);

async function shown(): Promise<{ status: string; statuses: Record<string, string>; states: States }> {
  const { out, err } = await maestro(['show', 'last', '--json'], options);
  expect(err).toBe('');
  const { status, node_states } = JSON.parse(out) as { status: string; node_states: States };
  const statuses = Object.fromEntries(Object.entries(node_states).map(([id, node]) => [id, node.status]));
  return { status, statuses, states: node_states };
}

describe('the example of trigger rules', () => {
  it('cleans up after a failure under fail_fast', async () => {
    const run = await maestro(['run', 'cleanup.yaml', '--mode', 'dag_parallel'], options);
    expect(run.code).not.toBe(0);
    const failed = await shown();
    expect(failed.status).toBe('failed');
    expect(failed.statuses).toEqual({
      server: 'completed',
      tests: 'failed',
      publish: 'blocked',
      alarm: 'completed',
      report: 'completed',
      stop: 'completed',
    });
    expect(failed.states.stop.metadata).toMatchObject({ trigger_rule: 'all_done' });
    const node = await maestro(['show', 'last', '--node', 'report'], options);
    expect(node.out).toContain('tests.Failed ||');
  });

  it('skips the alarm when all is well, and says why', async () => {
    const context = ['--context', '{"works":true}'];
    const run = await maestro(['run', 'cleanup.yaml', '--mode', 'linear', ...context], options);
    expect(run.code, run.err).toBe(0);
    const { statuses, states } = await shown();
    expect(statuses).toMatchObject({
      alarm: 'skipped',
      publish: 'completed',
      report: 'completed',
      stop: 'completed',
    });
    expect(states.alarm.metadata.skipped_because).toBe('trigger_rule one_failed did not hold');
    expect((await maestro(['show', 'last'], options)).out).toMatch(
      /alarm +skipped .*trigger_rule one_failed/,
    );
  });

  it('is visible in drawings', async () => {
    const { out } = await maestro(['graph', 'cleanup.yaml'], options);
    expect(out).toContain('stop runs when all_done');
    expect(out).toContain('report runs when tests.Failed || (publish.Succeeded && !alarm.Succeeded)');
    expect((await maestro(['graph', 'cleanup.yaml', '--format', 'dot'], options)).out).toContain(
      '"stop (all_done)"',
    );
    const json = JSON.parse((await maestro(['graph', 'cleanup.yaml', '--json'], options)).out) as object;
    expect(json).toMatchObject({ triggers: { alarm: 'one_failed', stop: 'all_done' } });
  });
});
