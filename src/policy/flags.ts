import { MaestroError } from '../base/errors.js';
import type { ExecutionMode } from '../base/model.js';

/** The feature flags of the environment, and the mode they result in. */
export interface Flags {
  readonly dagExecution: boolean;
  readonly parallelExecution: boolean;
  readonly contextPersistence: boolean;
  readonly executionEvents: boolean;
  /** false: every node has one attempt. */
  readonly retryLogic: boolean;
  readonly mode: ExecutionMode;
  /** What contradicts itself, as text for people; empty when all is well. */
  readonly conflicts: readonly string[];
}

type FlagName = Exclude<keyof Flags, 'mode' | 'conflicts'>;

/** Every flag: its environment variable, and its value when that is not set or empty. */
export const FLAGS: Readonly<Record<FlagName, { variable: string; default: boolean }>> = {
  dagExecution: { variable: 'MAESTRO_ENABLE_DAG_EXECUTION', default: false },
  parallelExecution: { variable: 'MAESTRO_ENABLE_PARALLEL_EXECUTION', default: false },
  contextPersistence: { variable: 'MAESTRO_ENABLE_CONTEXT_PERSISTENCE', default: true },
  executionEvents: { variable: 'MAESTRO_ENABLE_EXECUTION_EVENTS', default: true },
  retryLogic: { variable: 'MAESTRO_ENABLE_RETRY_LOGIC', default: false },
};

const TRUE = /^(true|1|yes|on)$/i;

/** Reads the flags: `true`, `1`, `yes`, `on` in any case are true, anything else is false. */
export function readFlags(env: Readonly<Record<string, string | undefined>>): Flags {
  const read = (name: FlagName): boolean => {
    const text = env[FLAGS[name].variable]?.trim() ?? '';
    return text === '' ? FLAGS[name].default : TRUE.test(text);
  };
  const dagExecution = read('dagExecution');
  const parallelExecution = read('parallelExecution');
  const conflicts =
    parallelExecution && !dagExecution
      ? [
          `${FLAGS.parallelExecution.variable} is on but ${FLAGS.dagExecution.variable} is off: ` +
            'parallel execution needs DAG execution, so nodes run one after another',
        ]
      : [];
  return {
    dagExecution,
    parallelExecution,
    contextPersistence: read('contextPersistence'),
    executionEvents: read('executionEvents'),
    retryLogic: read('retryLogic'),
    mode: modeOf(dagExecution, parallelExecution),
    conflicts,
  };
}

function modeOf(dag: boolean, parallel: boolean): ExecutionMode {
  if (!dag) return 'linear';
  return parallel ? 'dag_parallel' : 'dag_linear';
}

/** What beats the MAESTRO_* flags. */
export interface FlagChoices {
  readonly mode?: ExecutionMode;
  readonly retries?: boolean;
  /** A store was named: it is used whatever the flags say. Default false. */
  readonly storeGiven?: boolean;
}

/** What a runtime does, after choices and flags have been weighed. */
export interface FlagSettings {
  readonly mode: ExecutionMode;
  readonly retries: boolean;
  readonly events: boolean;
  /** false: nothing is kept; the memory store is used. */
  readonly persistent: boolean;
}

/** Choices beat flags. @throws CONFIG_CONFLICT when the flags contradict each other and no mode was given */
export function settingsFromFlags(flags: Flags, choices: FlagChoices = {}): FlagSettings {
  if (choices.mode === undefined && flags.conflicts.length > 0) {
    throw new MaestroError('CONFIG_CONFLICT', flags.conflicts.join('; '), {
      next: 'Change the variables named, or choose a mode (--mode).',
    });
  }
  return {
    mode: choices.mode ?? flags.mode,
    retries: choices.retries ?? flags.retryLogic,
    events: flags.executionEvents,
    persistent: choices.storeGiven === true || flags.contextPersistence,
  };
}

/** The flags as a document. */
export function flagsDocument(flags: Flags) {
  return {
    enable_dag_execution: flags.dagExecution,
    enable_parallel_execution: flags.parallelExecution,
    enable_context_persistence: flags.contextPersistence,
    enable_execution_events: flags.executionEvents,
    enable_retry_logic: flags.retryLogic,
    execution_mode: flags.mode,
    conflicts: flags.conflicts,
  };
}
