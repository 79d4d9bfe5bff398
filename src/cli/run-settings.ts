import {
  generations,
  MaestroError,
  type ExecutionMode,
  type Flags,
  type Plan,
  type Workflow,
} from '../runtime/index.js';

/** Options of `run` that beat the MAESTRO_* flags. */
export interface RunChoices {
  readonly mode?: ExecutionMode;
  readonly retries?: boolean;
  /** The store was named on the command line. */
  readonly storeGiven: boolean;
}

/** What a run does, after options and flags have been weighed. */
export interface RunSettings {
  readonly mode: ExecutionMode;
  readonly retries: boolean;
  readonly events: boolean;
  /** false: nothing is kept; the memory store is used. */
  readonly persistent: boolean;
}

/** Options beat flags. @throws CONFIG_CONFLICT when the flags contradict each other and no mode was given */
export function resolveSettings(choices: RunChoices, flags: Flags): RunSettings {
  if (choices.mode === undefined && flags.conflicts.length > 0) {
    throw new MaestroError('CONFIG_CONFLICT', flags.conflicts.join('; '), {
      next: 'Change the variables named, or choose with --mode.',
    });
  }
  return {
    mode: choices.mode ?? flags.mode,
    retries: choices.retries ?? flags.retryLogic,
    events: flags.executionEvents,
    persistent: choices.storeGiven || flags.contextPersistence,
  };
}

/** What is worth saying about the settings: where a flag keeps a spec from doing what it says. */
export function noticesFor(
  settings: RunSettings,
  choices: RunChoices,
  workflow: Workflow,
  plan: Plan,
): string[] {
  const notices: string[] = [];
  if (!settings.persistent) {
    notices.push('MAESTRO_ENABLE_CONTEXT_PERSISTENCE is off: nothing is stored, and nothing can be resumed');
  }
  const retrying = workflow.spec.nodes.some((node) => (node.retry_policy?.max_attempts ?? 1) > 1);
  if (retrying && !settings.retries && choices.retries === undefined) {
    notices.push('retry policies take no effect: pass --retries, or set MAESTRO_ENABLE_RETRY_LOGIC=true');
  }
  if (choices.mode === undefined && settings.mode !== 'dag_parallel' && isWide(plan)) {
    notices.push(
      `one node at a time (${settings.mode}, from the MAESTRO_* flags); --mode dag_parallel runs independent nodes at once`,
    );
  }
  return notices;
}

/** Whether some nodes could run at once. */
function isWide(plan: Plan): boolean {
  return generations(plan).length < plan.nodeCount;
}
