import { compileMachine } from './compile.js';
import { NODE_EVENT_TYPES, NODE_LEAVES, WORKFLOW_EVENT_TYPES, WORKFLOW_LEAVES } from './events.js';
import { nodeMachine } from './node.machine.js';
import { workflowMachine } from './workflow.machine.js';

/** The life of a node, as a table. Leaves and events have the codes of `NODE_LEAVES` and `NODE_EVENT_TYPES`. */
export const compiledNode = compileMachine(nodeMachine, {
  leaves: NODE_LEAVES,
  eventTypes: NODE_EVENT_TYPES,
});

/** The life of an execution, as a table. */
export const compiledWorkflow = compileMachine(workflowMachine, {
  leaves: WORKFLOW_LEAVES,
  eventTypes: WORKFLOW_EVENT_TYPES,
});

export { compileMachine, nodeMachine, workflowMachine };
export type {
  CompiledInput,
  CompiledLogic,
  CompiledMachine,
  CompiledSnapshot,
  CompileOptions,
  Step,
} from './compile.js';
export * from './events.js';
