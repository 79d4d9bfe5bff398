import process from 'node:process';
import type { ErrorDocument } from '../base/errors.js';
import type { ExecutionMode, WorkflowStatus } from '../base/model.js';
import type { EventType } from '../observe/events.js';
import { readFlags, settingsFromFlags, type FlagSettings } from '../policy/flags.js';
import { linearWorkflow, parallelWorkflow, type PhaseWork, type SdlcOptions } from '../spec/sdlc.js';
import type { Workflow } from '../spec/types.js';
import { createRuntime } from './create-runtime.js';
import type { Execution, Runtime, RuntimeOptions, StartOptions } from './types.js';

/** Options of createDualModeEngine: those of a runtime, of which the flags give what is not said. */
export interface DualModeOptions extends RuntimeOptions {
  /** Where the MAESTRO_* flags are read. Default: the process's environment. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Id, name and context of the generated workflows. Default ids: `sdlc_linear`, `sdlc_parallel`. */
  sdlc?: SdlcOptions;
}

/** What the old system's dual-mode engine returned. */
export interface DualModeResult {
  status: WorkflowStatus;
  execution_mode: ExecutionMode;
  workflow_id: string;
  execution_id: string;
  completed_nodes: number;
  total_nodes: number;
  /** Seconds between start and end. */
  execution_time: number;
  /** How often each event happened in the execution's whole life; empty when events are switched off. */
  event_summary: Partial<Record<EventType, number>>;
  failed_node?: string;
  error?: ErrorDocument;
}

/** Runs the SDLC the way the flags say. */
export interface DualModeEngine {
  /** `linear` and `dag_linear` run one phase after another, `dag_parallel` the phases that may run at once. */
  readonly mode: ExecutionMode;
  readonly runtime: Runtime;
  readonly workflow: Workflow;
  /** Runs to the end. Rejects only when the runtime fails; a failed phase is a result. */
  execute(context?: Record<string, unknown>, options?: StartOptions): Promise<DualModeResult>;
  /** Continues a paused or interrupted execution to its end. @throws as Runtime.resume */
  resume(executionId: string): Promise<DualModeResult>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * The engine of a team that picks linear, dag_linear or dag_parallel by the MAESTRO_* flags, as the old system's
 * did; an explicit `mode`, `retries`, `events` or `store` beats them. Persistence switched off means a memory store.
 * @throws CONFIG_CONFLICT when the flags contradict each other and no mode is given; and as createRuntime
 */
export async function createDualModeEngine(
  work: PhaseWork,
  options: DualModeOptions = {},
): Promise<DualModeEngine> {
  const { env = process.env, sdlc, ...runtimeOptions } = options;
  const { mode, retries, store } = options;
  const settings = settingsFromFlags(readFlags(env), { mode, retries, storeGiven: store !== undefined });
  const generate = settings.mode === 'dag_parallel' ? parallelWorkflow : linearWorkflow;
  const workflow = generate(work, sdlc).build();
  const runtime = await createRuntime({
    ...(settings.persistent ? {} : { store: 'memory:' }),
    ...runtimeOptions,
    mode: settings.mode,
    retries: settings.retries,
    events: options.events ?? settings.events,
    workflows: [workflow, ...(options.workflows ?? [])],
  });
  return new Engine(runtime, workflow, { ...settings, events: options.events ?? settings.events });
}

class Engine implements DualModeEngine {
  constructor(
    readonly runtime: Runtime,
    readonly workflow: Workflow,
    private readonly settings: FlagSettings,
  ) {}

  get mode(): ExecutionMode {
    return this.settings.mode;
  }

  async execute(context?: Record<string, unknown>, options?: StartOptions): Promise<DualModeResult> {
    return this.ended(await this.runtime.start(this.workflow, context, options));
  }

  async resume(executionId: string): Promise<DualModeResult> {
    return this.ended(await this.runtime.resume(executionId, { workflow: this.workflow }));
  }

  close(): Promise<void> {
    return this.runtime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async ended(execution: Execution): Promise<DualModeResult> {
    const { status, workflow_id, execution_id, ...rest } = await execution.result;
    const event_summary: DualModeResult['event_summary'] = {};
    if (this.settings.events) {
      for await (const { event_type } of this.runtime.events(execution.id))
        event_summary[event_type] = (event_summary[event_type] ?? 0) + 1;
    }
    return { status, execution_mode: this.mode, workflow_id, execution_id, ...rest, event_summary };
  }
}
