import { describe, expect, it } from 'vitest';
import { FLAGS, flagsDocument, readFlags, settingsFromFlags } from '../../src/policy/flags.js';

const DAG = 'MAESTRO_ENABLE_DAG_EXECUTION';
const PARALLEL = 'MAESTRO_ENABLE_PARALLEL_EXECUTION';

describe('readFlags', () => {
  it('has the canonical names and defaults', () => {
    expect(Object.values(FLAGS)).toEqual([
      { variable: 'MAESTRO_ENABLE_DAG_EXECUTION', default: false },
      { variable: 'MAESTRO_ENABLE_PARALLEL_EXECUTION', default: false },
      { variable: 'MAESTRO_ENABLE_CONTEXT_PERSISTENCE', default: true },
      { variable: 'MAESTRO_ENABLE_EXECUTION_EVENTS', default: true },
      { variable: 'MAESTRO_ENABLE_RETRY_LOGIC', default: false },
    ]);
    expect(flagsDocument(readFlags({}))).toEqual({
      enable_dag_execution: false,
      enable_parallel_execution: false,
      enable_context_persistence: true,
      enable_execution_events: true,
      enable_retry_logic: false,
      execution_mode: 'linear',
      conflicts: [],
    });
  });

  it.each(['true', 'TRUE', '1', 'yes', 'Yes', 'on', ' on '])('takes %j for true', (text) => {
    for (const { variable } of Object.values(FLAGS)) {
      const name = Object.entries(FLAGS).find(([, flag]) => flag.variable === variable)![0];
      expect(readFlags({ [variable]: text })).toHaveProperty(name, true);
    }
  });

  it.each(['false', '0', 'no', 'off', 'truely', '11', 'ja'])('takes %j for false', (text) => {
    const flags = readFlags({ MAESTRO_ENABLE_CONTEXT_PERSISTENCE: text, [DAG]: text });
    expect(flags).toMatchObject({ contextPersistence: false, dagExecution: false });
  });

  it('takes an empty variable for one that is not set', () => {
    expect(readFlags({ MAESTRO_ENABLE_EXECUTION_EVENTS: '', [DAG]: '' })).toEqual(readFlags({}));
  });

  it('reports parallel execution without DAG execution, and stays linear', () => {
    const { mode, conflicts } = readFlags({ [PARALLEL]: '1' });
    expect(mode).toBe('linear');
    expect(conflicts).toHaveLength(1);
    expect(conflicts[0]).toContain(DAG);
    expect(readFlags({ [PARALLEL]: '1', [DAG]: '1' }).conflicts).toEqual([]);
  });
});

describe('settingsFromFlags', () => {
  it('follows the flags', () => {
    expect(settingsFromFlags(readFlags({}))).toEqual({
      mode: 'linear',
      retries: false,
      events: true,
      persistent: true,
    });
    const on = readFlags({
      MAESTRO_ENABLE_DAG_EXECUTION: 'true',
      MAESTRO_ENABLE_PARALLEL_EXECUTION: 'yes',
      MAESTRO_ENABLE_RETRY_LOGIC: '1',
      MAESTRO_ENABLE_CONTEXT_PERSISTENCE: 'off',
      MAESTRO_ENABLE_EXECUTION_EVENTS: 'false',
    });
    expect(settingsFromFlags(on)).toEqual({
      mode: 'dag_parallel',
      retries: true,
      events: false,
      persistent: false,
    });
    expect(settingsFromFlags(on, { storeGiven: true }).persistent).toBe(true);
  });

  it('refuses parallel without DAG, unless a mode is given', () => {
    const flags = readFlags({ MAESTRO_ENABLE_PARALLEL_EXECUTION: 'true' });
    expect(() => settingsFromFlags(flags)).toThrow(
      expect.objectContaining({ code: 'CONFIG_CONFLICT', exitCode: 2 }),
    );
    expect(settingsFromFlags(flags, { mode: 'dag_linear' }).mode).toBe('dag_linear');
  });

  it('lets options beat flags', () => {
    const flags = readFlags({ MAESTRO_ENABLE_RETRY_LOGIC: 'true' });
    expect(settingsFromFlags(flags, { retries: false }).retries).toBe(false);
  });
});
