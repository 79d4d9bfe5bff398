import type { Job, StepCall, StepRef } from '../port.js';

/**
 * Jobs that travel together. `jobs` is flat: for each job one number, of which the low FIELD_BITS bits say which fields of its
 * call are others than those of the job before it, and the rest is the number of its step; and these fields. Most are the same,
 * and each value costs when it is cloned.
 */
export interface WireBatch {
  readonly id: number;
  readonly slot: number;
  readonly count: number;
  /** Whether the worker says when it has taken it. */
  readonly tells: boolean;
  /** It is short, and nothing else is under way: what comes next is likely to come because of it. */
  readonly lone: boolean;
  /** Two fields per step: URL and export name. */
  readonly steps: readonly string[];
  readonly jobs: readonly unknown[];
}

const WORKFLOW_ID = 1 << 0;
const EXECUTION_ID = 1 << 1;
const NODE_ID = 1 << 2;
const NODE_NAME = 1 << 3;
const ATTEMPT = 1 << 4;
const RUN = 1 << 5;
const ARTIFACT_ROOT = 1 << 6;
const NODE_CONFIG = 1 << 7;
const DEPENDENCY_OUTPUTS = 1 << 8;
const DEPENDENCY_ARTIFACTS = 1 << 9;
const GLOBAL_CONTEXT = 1 << 10;
const REPEAT = 1 << 11;
const INDEX = 1 << 12;
const ITEM = 1 << 13;
/** The node's name is its id. */
const NAMED_BY_ID = 1 << 14;
const FIELD_BITS = 15;

/** What the first job of a batch is told apart from. */
const NONE: StepCall = {
  workflowId: '',
  executionId: '',
  nodeId: '',
  nodeName: '',
  attempt: 1,
  run: 0,
  artifactRoot: '',
  nodeConfig: '{}',
  dependencyOutputs: '{}',
  dependencyArtifacts: '{}',
  globalContext: '{}',
  repeat: null,
  index: -1,
  item: null,
};

/** Writes a batch of jobs whose steps are in modules. */
export function encodeBatch(
  { id, slot, lone = false }: { id: number; slot: number; lone?: boolean },
  jobs: readonly { readonly job: Job }[],
): WireBatch {
  const steps: string[] = [];
  const stepIndex = new Map<StepRef, number>();
  const fields: unknown[] = [];
  let before = NONE;
  let count = 0;
  let tells = false;
  for (const { job } of jobs) {
    const { step, call, exclusive } = job;
    if (step.kind !== 'module' && step.kind !== 'process') continue;
    tells ||= exclusive || step.kind === 'process';
    let index = stepIndex.get(step);
    if (index === undefined) {
      index = steps.push(step.url, step.exportName) / 2 - 1;
      stepIndex.set(step, index);
    }
    const at = fields.push(0) - 1;
    fields[at] = index * 2 ** FIELD_BITS + writeCall(fields, call, before);
    before = call;
    count++;
  }
  return { id, slot, count, tells, lone, steps, jobs: fields };
}

/** @returns which fields it has written */
function writeCall(fields: unknown[], call: StepCall, before: StepCall): number {
  let bits = 0;
  if (call.workflowId !== before.workflowId) bits |= push(fields, WORKFLOW_ID, call.workflowId);
  if (call.executionId !== before.executionId) bits |= push(fields, EXECUTION_ID, call.executionId);
  if (call.nodeId !== before.nodeId) bits |= push(fields, NODE_ID, call.nodeId);
  if (call.nodeName === call.nodeId) bits |= NAMED_BY_ID;
  else if (call.nodeName !== before.nodeName) bits |= push(fields, NODE_NAME, call.nodeName);
  if (call.attempt !== before.attempt) bits |= push(fields, ATTEMPT, call.attempt);
  if (call.run !== before.run) bits |= push(fields, RUN, call.run);
  if (call.artifactRoot !== before.artifactRoot) bits |= push(fields, ARTIFACT_ROOT, call.artifactRoot);
  if (call.nodeConfig !== before.nodeConfig) bits |= push(fields, NODE_CONFIG, call.nodeConfig);
  if (call.dependencyOutputs !== before.dependencyOutputs)
    bits |= push(fields, DEPENDENCY_OUTPUTS, call.dependencyOutputs);
  if (call.dependencyArtifacts !== before.dependencyArtifacts)
    bits |= push(fields, DEPENDENCY_ARTIFACTS, call.dependencyArtifacts);
  if (call.globalContext !== before.globalContext) bits |= push(fields, GLOBAL_CONTEXT, call.globalContext);
  if (call.repeat !== before.repeat) bits |= push(fields, REPEAT, call.repeat);
  if (call.index !== before.index) bits |= push(fields, INDEX, call.index);
  if (call.item !== before.item) bits |= push(fields, ITEM, call.item);
  return bits;
}

function push(fields: unknown[], bit: number, value: unknown): number {
  fields.push(value);
  return bit;
}

/** A job as a worker reads it. */
export interface WireJob {
  /** The number of its step in the batch. */
  readonly step: number;
  readonly url: string;
  readonly exportName: string;
  readonly call: StepCall;
}

/** Reads the jobs of a batch one after another, as often as there are jobs. */
export class BatchReader {
  #at = 0;
  #before = NONE;

  constructor(private readonly batch: WireBatch) {}

  next(): WireJob {
    const { jobs, steps } = this.batch;
    const before = this.#before;
    let at = this.#at;
    const head = jobs[at++] as number;
    const step = Math.floor(head / 2 ** FIELD_BITS);
    const bits = head % 2 ** FIELD_BITS;
    const call = {
      workflowId: bits & WORKFLOW_ID ? (jobs[at++] as string) : before.workflowId,
      executionId: bits & EXECUTION_ID ? (jobs[at++] as string) : before.executionId,
      nodeId: bits & NODE_ID ? (jobs[at++] as string) : before.nodeId,
      nodeName: bits & NODE_NAME ? (jobs[at++] as string) : before.nodeName,
      attempt: bits & ATTEMPT ? (jobs[at++] as number) : before.attempt,
      run: bits & RUN ? (jobs[at++] as number) : before.run,
      artifactRoot: bits & ARTIFACT_ROOT ? (jobs[at++] as string) : before.artifactRoot,
      nodeConfig: bits & NODE_CONFIG ? (jobs[at++] as string) : before.nodeConfig,
      dependencyOutputs: bits & DEPENDENCY_OUTPUTS ? (jobs[at++] as string) : before.dependencyOutputs,
      dependencyArtifacts: bits & DEPENDENCY_ARTIFACTS ? (jobs[at++] as string) : before.dependencyArtifacts,
      globalContext: bits & GLOBAL_CONTEXT ? (jobs[at++] as StepCall['globalContext']) : before.globalContext,
      repeat: bits & REPEAT ? (jobs[at++] as StepCall['repeat']) : before.repeat,
      index: bits & INDEX ? (jobs[at++] as number) : before.index,
      item: bits & ITEM ? (jobs[at++] as StepCall['item']) : before.item,
    } satisfies StepCall;
    if (bits & NAMED_BY_ID) call.nodeName = call.nodeId;
    this.#at = at;
    this.#before = call;
    return { step, url: steps[step * 2], exportName: steps[step * 2 + 1], call };
  }
}
