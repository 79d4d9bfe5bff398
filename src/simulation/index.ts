/** The simulator for users' own workflows. Importing it starts nothing. */
export { simulateWorkflow, type SimulationOptions, type SimulationProgress } from './simulate.js';
export { FAULTS, type FaultKind } from './fault-plan.js';
export type { OutcomeSpec } from './outcome-schema.js';
export type { Makespan, Makespans, SimulationReport, SurpriseGroup, UnreachableNode } from './report.js';
export type { LongRetries } from './retry-budget.js';
export type { StoryLine } from './story.js';
export { SEEDS_TO_JUDGE } from './tally.js';
export { SURPRISES, type FailureCause, type SurpriseKind } from './verdict.js';
