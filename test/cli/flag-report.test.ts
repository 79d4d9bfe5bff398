import { describe, expect, it } from 'vitest';
import { flagReport, storedWarning } from '../../src/cli/environment/flag-report.js';

describe('the report on flags', () => {
  it('says where each value is from', () => {
    const { flags } = flagReport({
      MAESTRO_ENABLE_DAG_EXECUTION: ' Yes ',
      MAESTRO_ENABLE_RETRY_LOGIC: '  ',
      MAESTRO_ENABLE_CONTEXT_PERSISTENCE: 'off',
    });
    expect(
      flags.map(({ variable, value, default: fallback, source }) => [variable, value, fallback, source]),
    ).toEqual([
      ['MAESTRO_ENABLE_DAG_EXECUTION', true, false, 'environment'],
      ['MAESTRO_ENABLE_PARALLEL_EXECUTION', false, false, 'default'],
      ['MAESTRO_ENABLE_CONTEXT_PERSISTENCE', false, true, 'environment'],
      ['MAESTRO_ENABLE_EXECUTION_EVENTS', true, true, 'default'],
      ['MAESTRO_ENABLE_RETRY_LOGIC', false, false, 'default'],
    ]);
  });

  it.each([
    [{ MAESTRO_ENABLE_PARALLEL_EXECUTION: '1' }, /DAG_EXECUTION=true too/, 1],
    [{ MAESTRO_ENABLE_DAG_EXECUTION: '1' }, /PARALLEL_EXECUTION=true runs independent/, 0],
    [{ MAESTRO_ENABLE_CONTEXT_PERSISTENCE: '0' }, /lost when the process ends/, 0],
    [{ MAESTRO_ENABLE_EXECUTION_EVENTS: '0' }, /Nobody is told/, 0],
    [{ MAESTRO_ENABLE_RETRY_LOGIC: '0' }, /one attempt/, 0],
  ])('%j gives advice %s', (env, advice, conflicts) => {
    const report = flagReport(env);
    expect(report.recommendations.join('\n')).toMatch(advice);
    expect(report.conflicts).toHaveLength(conflicts);
  });

  it('has no advice when everything is on, and nothing to warn of', () => {
    const env = Object.fromEntries(flagReport({}).flags.map(({ variable }) => [variable, 'on']));
    expect(flagReport(env)).toMatchObject({
      execution_mode: 'dag_parallel',
      conflicts: [],
      warnings: [],
      recommendations: [],
    });
  });

  it('warns past 1,000 stored executions, not before', () => {
    expect(storedWarning(1000)).toBeUndefined();
    expect(storedWarning(1001)).toMatch(/^1001 executions are stored: .*maestro gc/);
  });
});
