import { FLAGS, MANY_EXECUTIONS, readFlags, type Flags, type WorkflowStatus } from '../../runtime/index.js';

type Environment = Readonly<Record<string, string | undefined>>;
type FlagName = keyof typeof FLAGS;

/** One flag as the operator sees it. */
export interface FlagRow {
  readonly variable: string;
  readonly meaning: string;
  readonly value: boolean;
  readonly default: boolean;
  readonly source: 'environment' | 'default';
}

export interface FlagReport {
  readonly execution_mode: Flags['mode'];
  readonly flags: readonly FlagRow[];
  readonly conflicts: readonly string[];
  readonly warnings: readonly string[];
  readonly recommendations: readonly string[];
}

const MEANINGS: Readonly<Record<FlagName, string>> = {
  dagExecution: 'run as a graph, not in one line',
  parallelExecution: 'run independent nodes at once',
  contextPersistence: 'save executions and resume them',
  executionEvents: 'emit events',
  retryLogic: 'retry policies take effect',
};

const KNOWN = /^(?:true|1|yes|on|false|0|no|off)$/i;

/** What the environment says, what contradicts itself, and what would serve better. Pure. */
export function flagReport(env: Environment): FlagReport {
  const flags = readFlags(env);
  const names = Object.keys(FLAGS) as FlagName[];
  const rows = names.map((name): FlagRow => {
    const { variable, default: fallback } = FLAGS[name];
    const isSet = (env[variable] ?? '').trim() !== '';
    return {
      variable,
      meaning: MEANINGS[name],
      value: flags[name],
      default: fallback,
      source: isSet ? 'environment' : 'default',
    };
  });
  return {
    execution_mode: flags.mode,
    flags: rows,
    conflicts: flags.conflicts,
    warnings: [...unreadable(env), ...unknownVariables(env)],
    recommendations: recommendations(flags),
  };
}

function unreadable(env: Environment): string[] {
  return Object.values(FLAGS).flatMap(({ variable }) => {
    const text = (env[variable] ?? '').trim();
    if (text === '' || KNOWN.test(text)) return [];
    return [`${variable} is ${JSON.stringify(text)}, which counts as false: write true or false`];
  });
}

/** A misspelt variable does nothing and says nothing: say it here. */
function unknownVariables(env: Environment): string[] {
  const known = new Set(Object.values(FLAGS).map(({ variable }) => variable));
  return Object.keys(env)
    .filter((name) => name.startsWith('MAESTRO_ENABLE_') && !known.has(name))
    .map((name) => `${name} is not a flag: it has no effect`);
}

function recommendations(flags: Flags): string[] {
  const advice: string[] = [];
  if (flags.conflicts.length > 0) {
    advice.push(`Set ${FLAGS.dagExecution.variable}=true too, or ${FLAGS.parallelExecution.variable}=false.`);
  } else if (flags.mode === 'linear') {
    advice.push(
      `Nodes run one after another: ${FLAGS.dagExecution.variable}=true runs the workflow as a graph.`,
    );
  } else if (flags.mode === 'dag_linear') {
    advice.push(
      `One node runs at a time: ${FLAGS.parallelExecution.variable}=true runs independent ones at once.`,
    );
  }
  if (!flags.contextPersistence) {
    advice.push(
      `Executions are lost when the process ends: set ${FLAGS.contextPersistence.variable}=true outside of emergencies.`,
    );
  }
  if (!flags.executionEvents)
    advice.push(`Nobody is told what happens: set ${FLAGS.executionEvents.variable}=true.`);
  if (!flags.retryLogic)
    advice.push(
      `Every node has one attempt: ${FLAGS.retryLogic.variable}=true lets retry policies take effect.`,
    );
  return advice;
}

/** The warning about a store that grows; undefined while it need not be given. */
export function storedWarning(counts: Readonly<Record<WorkflowStatus, number>> | number): string | undefined {
  const stored = typeof counts === 'number' ? counts : Object.values(counts).reduce((sum, n) => sum + n, 0);
  if (stored <= MANY_EXECUTIONS) return undefined;
  return `${stored} executions are stored: delete old ones with \`maestro gc --older-than 24h\``;
}
