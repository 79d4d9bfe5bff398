import type { StepContext } from '../base/step.js';
import type { NodeExecutor } from './builder-executors.js';
import { defineWorkflow, type WorkflowBuilder } from './builder.js';

/** The phases of the software development life cycle, in their linear order. */
export const SDLC_PHASES = [
  'requirement_analysis',
  'design',
  'backend_development',
  'frontend_development',
  'testing',
  'review',
] as const;
export type SdlcPhase = (typeof SDLC_PHASES)[number];

/** A team that works through phases: what the old system's team engines were. */
export interface PhaseExecutor<Phase extends string = SdlcPhase> {
  /**
   * Does one phase. What it returns is the phase's output, and what it throws fails the attempt; outputs of the phases
   * it depends on are in `context.dependencyOutputs` by node id (`phase_<name>`).
   */
  executePhase(phase: Phase, context: StepContext): unknown;
}

/** What each phase executes: by a team, or chosen phase by phase. */
export type PhaseWork<Phase extends string = SdlcPhase> =
  PhaseExecutor<Phase> | ((phase: Phase) => NodeExecutor<Record<string, unknown>, unknown>);

export interface SdlcOptions {
  /** Default `sdlc_linear` or `sdlc_parallel`. */
  id?: string;
  name?: string;
  globalContext?: Record<string, unknown>;
}

/** Node ids are only known at run time, so outputs have no types here. */
export type SdlcBuilder = WorkflowBuilder<Record<string, unknown>>;

/** One phase after another, those of SDLC_PHASES by default; nodes are called `phase_<name>`. */
export function linearWorkflow<const Phase extends string = SdlcPhase>(
  work: PhaseWork<NoInfer<Phase>>,
  options: SdlcOptions & { phases?: readonly Phase[] } = {},
): SdlcBuilder {
  const phases: readonly string[] = options.phases ?? SDLC_PHASES;
  return assemble(
    'linear',
    phases.map((phase, index) => [phase, phases.slice(Math.max(0, index - 1), index)]),
    work as PhaseWork<string>,
    options,
  );
}

/** requirement_analysis → design → {backend_development, frontend_development} → testing → review. */
export function parallelWorkflow(work: PhaseWork, options: SdlcOptions = {}): SdlcBuilder {
  const phases: [SdlcPhase, SdlcPhase[]][] = [
    ['requirement_analysis', []],
    ['design', ['requirement_analysis']],
    ['backend_development', ['design']],
    ['frontend_development', ['design']],
    ['testing', ['backend_development', 'frontend_development']],
    ['review', ['testing']],
  ];
  return assemble('parallel', phases, work as PhaseWork<string>, options);
}

function assemble(
  type: 'linear' | 'parallel',
  phases: readonly (readonly [string, readonly string[]])[],
  work: PhaseWork<string>,
  options: SdlcOptions,
): SdlcBuilder {
  const builder = defineWorkflow<Record<string, unknown>>({
    id: options.id ?? `sdlc_${type}`,
    name: options.name ?? `SDLC, ${type}`,
    metadata: { type },
    globalContext: options.globalContext,
  });
  for (const [phase, after] of phases) {
    builder.node(nodeId(phase), {
      ...executorOf(work, phase),
      type: 'phase',
      name: phase,
      dependsOn: after.map(nodeId),
      config: { phase },
    });
  }
  return builder;
}

function executorOf(work: PhaseWork<string>, phase: string): NodeExecutor<Record<string, unknown>, unknown> {
  return typeof work === 'function'
    ? work(phase)
    : { execute: (context) => work.executePhase(phase, context) };
}

function nodeId(phase: string): string {
  return `phase_${phase}`;
}
