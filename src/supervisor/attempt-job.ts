import type { Job, RepeatCall, StepCall, StepRef } from '../pool/index.js';
import type { Inputs } from './inputs.js';
import { numberOf } from './maps.js';
import type { RunningJob } from './running-job.js';

/** Larger global contexts are fetched by the worker once instead of travelling with every call. */
const INLINE_CONTEXT_CHARS = 4096;

/** An attempt as the pool takes it. A class for the reason that RunningJob is one. */
export class AttemptJob implements Job {
  readonly id: number;
  readonly step: StepRef;
  readonly exclusive: boolean;

  constructor(
    { id, execution, node }: RunningJob,
    readonly call: AttemptCall,
  ) {
    const { timeout_seconds, heartbeat_timeout_seconds } = execution.definition.nodeSpec(node);
    this.id = id;
    this.step = execution.definition.stepOf(node);
    this.exclusive = timeout_seconds !== undefined || heartbeat_timeout_seconds !== undefined;
  }
}

/** What the step of an attempt is given. */
export class AttemptCall implements StepCall {
  readonly workflowId: string;
  readonly executionId: string;
  readonly nodeId: string;
  readonly nodeName: string;
  readonly attempt: number;
  readonly run: number;
  readonly nodeConfig: string;
  readonly dependencyOutputs: string;
  readonly dependencyArtifacts: string;
  readonly globalContext: string | null;
  readonly index: number;
  readonly item: string | null;

  constructor(
    { execution, node, attempt, run }: RunningJob,
    readonly artifactRoot: string,
    { dependencyOutputs, dependencyArtifacts }: Inputs,
    readonly repeat: RepeatCall | null,
  ) {
    const { definition, globalContext } = execution;
    const isItem = node >= definition.plan.fixedCount;
    this.workflowId = execution.record.workflowId;
    this.executionId = execution.id;
    this.nodeId = definition.plan.ids[node];
    this.nodeName = definition.nodeSpec(node).name;
    this.attempt = attempt;
    this.run = run;
    this.nodeConfig = definition.configOf(node);
    this.dependencyOutputs = dependencyOutputs;
    this.dependencyArtifacts = dependencyArtifacts;
    this.globalContext = globalContext.length <= INLINE_CONTEXT_CHARS ? globalContext : null;
    this.index = isItem ? numberOf(execution, node) : -1;
    this.item = isItem ? execution.mapValues.textOf(execution, node) : null;
  }
}
