import { expect } from 'vitest';
import { flagsDocument, readFlags } from '../../src/policy/flags.js';

const DAG = 'MAESTRO_ENABLE_DAG_EXECUTION';
const PARALLEL = 'MAESTRO_ENABLE_PARALLEL_EXECUTION';

/** The scenarios about feature flags, by id. */
export const FLAG_SCENARIOS: Record<string, () => void> = {
  MS22() {
    const flags = readFlags({});
    expect(flags).toMatchObject({ dagExecution: false, parallelExecution: false, mode: 'linear' });
  },
  MS23() {
    expect(readFlags({ [DAG]: 'true' }).mode).toBe('dag_linear');
  },
  MS24() {
    expect(readFlags({ [DAG]: 'true', [PARALLEL]: 'true' }).mode).toBe('dag_parallel');
  },
  MS25() {
    const document = flagsDocument(readFlags({ [DAG]: 'true' }));
    expect(document).toMatchObject({ enable_dag_execution: true, execution_mode: 'dag_linear' });
  },
};
