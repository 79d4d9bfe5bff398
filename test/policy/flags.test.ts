import { describe, expect, it } from 'vitest';
import { FLAGS, flagsDocument, readFlags } from '../../src/policy/flags.js';
import { conformanceRows } from './conformance.js';

const DAG = 'MAESTRO_ENABLE_DAG_EXECUTION';
const PARALLEL = 'MAESTRO_ENABLE_PARALLEL_EXECUTION';

/** The scenarios about flags, by id. */
const SCENARIOS: Record<string, () => void> = {
  MS22: () => {
    const flags = readFlags({});
    expect(flags).toMatchObject({ dagExecution: false, parallelExecution: false, mode: 'linear' });
  },
  MS23: () => expect(readFlags({ [DAG]: 'true' }).mode).toBe('dag_linear'),
  MS24: () => expect(readFlags({ [DAG]: 'true', [PARALLEL]: 'true' }).mode).toBe('dag_parallel'),
  MS25: () => {
    const document = flagsDocument(readFlags({ [DAG]: 'true' }));
    expect(document).toMatchObject({ enable_dag_execution: true, execution_mode: 'dag_linear' });
  },
};

const rows = conformanceRows<{ id: string; given: string }>('scenarios.json');

describe.skipIf(rows === undefined)('scenarios about flags', () => {
  const known = (rows ?? []).filter(({ id }) => id in SCENARIOS);
  it('are all there', () => expect(known).toHaveLength(4));
  it.each(known)('$id: $given', ({ id }) => SCENARIOS[id]());
});

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
