import { resolve } from 'node:path';
import { MaestroError, type Problem } from '../base/errors.js';
import type { StepFunction } from '../base/step.js';
import type { LoadSubworkflow } from './check-subworkflows.js';
import { copyJson } from './copy-json.js';
import type { SourceMap } from './findings.js';
import { definitionHash } from './hash.js';
import type { Workflow, WorkflowSpec } from './types.js';
import { throwProblems, validateSpec } from './validate.js';

export interface WorkflowOptions {
  /** Folder that `uses` and `run` are relative to. Default: the working directory. */
  baseDir?: string;
  /** Inline functions by node id. */
  functions?: ReadonlyMap<string, StepFunction>;
  /** What subworkflow nodes run, by node id, where functions or folders of it must be known. */
  subworkflows?: ReadonlyMap<string, Workflow>;
}

/** A workflow and what is odd, but not wrong, about it. */
export interface LoadedWorkflow {
  workflow: Workflow;
  warnings: Problem[];
}

/**
 * Makes a workflow of a document. The document is copied: changing it later has no effect.
 * @throws SPEC_INVALID or CYCLE, with every problem in `problems`
 */
export function workflowFromSpec(spec: unknown, options: WorkflowOptions = {}): Workflow {
  return assembleWorkflow(copyJson(spec, true), { ...options, schema: true }).workflow;
}

/** The stored form of a workflow: plain JSON, to be read by `workflowFromDocument`. Functions are left out. */
export function workflowToDocument(workflow: Workflow): WorkflowSpec {
  return copyJson(workflow.spec) as WorkflowSpec;
}

/** The other way round. Inline functions must be given again. @throws SPEC_INVALID, CYCLE */
export function workflowFromDocument(document: unknown, options: WorkflowOptions = {}): Workflow {
  return workflowFromSpec(document, options);
}

interface AssembleOptions extends WorkflowOptions {
  source?: SourceMap;
  /** Whether the form needs checking. */
  schema: boolean;
  loadSubworkflow?: LoadSubworkflow;
}

/** Validates a document this package owns, and hashes it. */
export function assembleWorkflow(document: unknown, options: AssembleOptions): LoadedWorkflow {
  const baseDir = resolve(options.baseDir ?? '.');
  const { spec, problems } = validateSpec(document, { ...options, baseDir });
  throwProblems(problems, options.source?.file ?? 'the workflow');
  if (spec === undefined) throw new MaestroError('INVARIANT', 'a workflow without problems has no spec');
  const functions = new Map(options.functions);
  const { subworkflows } = options;
  const workflow = { spec, baseDir, definitionHash: definitionHash(spec), functions };
  const children = subworkflows !== undefined && subworkflows.size > 0 ? { subworkflows } : {};
  return { workflow: { ...workflow, ...children }, warnings: problems };
}
