export {
  defineWorkflow,
  type NodeOptions,
  type WorkflowBuilder,
  type WorkflowDefinition,
} from './builder.js';
export type { RetryOptions } from './builder-retry.js';
export type { NodeEnd, NodeEnds } from './ready.js';
export {
  compareDefinitions,
  HOW_IT_RUNS,
  isSameDefinition,
  type DefinitionDifference,
  type FieldDifference,
  type NodeDifference,
} from './difference.js';
export type { Path, Place, SourceMap } from './findings.js';
export { canonicalJson, definitionHash } from './hash.js';
export { loadWorkflowFile, parseWorkflow, type LoadOptions, type ParseOptions } from './load.js';
export { workflowSchema } from './schema.js';
export {
  linearWorkflow,
  parallelWorkflow,
  SDLC_PHASES,
  type PhaseExecutor,
  type PhaseWork,
  type SdlcBuilder,
  type SdlcOptions,
  type SdlcPhase,
} from './sdlc.js';
export { compareStructure, structureMismatch, type StructureDifference } from './structure.js';
export {
  NODE_TYPES,
  type CacheSpec,
  type ContractSpec,
  type EdgeSpec,
  type Isolation,
  type NodeSpec,
  type NodeType,
  type RepeatSpec,
  type ReviewSpec,
  type ScheduleSpec,
  type SignalWaitSpec,
  type SupervisionSpec,
  type Workflow,
  type WorkflowHeader,
  type WorkflowSpec,
} from './types.js';
export { BUILTIN_STEPS, resolveUses, type UsesRef } from './uses.js';
export type { ReviewOptions, SignalWaitOptions, WaitOptions } from './builder-waits.js';
export type { GroupOptions, GroupOutput } from './builder-groups.js';
export type { MapOptions, MapOutput } from './builder-maps.js';
export { edgeConditionsOf, type EdgeConditions } from './edges.js';
export { groupPolicyOf } from './groups.js';
export { repeatPolicyOf } from './repeats.js';
export { childWorkflowOf, hasFunctions } from './subworkflows.js';
export type { SubworkflowOptions } from './builder-subworkflows.js';
export { type, type NodeExecutor, type TypeOf } from './builder-executors.js';
export type { RepeatOptions } from './builder-repeats.js';
export { contractsOf } from './contracts.js';
export { mapPolicyOf } from './maps.js';
export { answerSchemaOf, isWaitNode, waitPlanOf } from './waits.js';
export { validateSpec, type ValidateOptions, type Validation } from './validate.js';
export { importWfFormat, isWfFormat, SLEEP_STEP } from './wfformat.js';
export { graphNodes, planOf } from './plans.js';
export {
  workflowFromDocument,
  workflowFromSpec,
  workflowToDocument,
  type LoadedWorkflow,
  type WorkflowOptions,
} from './workflow.js';
