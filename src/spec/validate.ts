import { MaestroError, type Problem } from '../base/errors.js';
import { checkCompensations, compensationSpec } from './check-compensations.js';
import { checkConditions } from './check-conditions.js';
import { checkContracts } from './check-contracts.js';
import { checkGraph } from './check-graph.js';
import { checkGroups } from './check-groups.js';
import { checkIsolation } from './check-isolation.js';
import { checkMaps } from './check-maps.js';
import { checkExecutors, checkNodeIds, checkSupported, type ExecutorOptions } from './check-nodes.js';
import { checkRepeats } from './check-repeats.js';
import { checkQueues } from './check-queues.js';
import { checkSchedule } from './check-schedule.js';
import { checkSubworkflows, type LoadSubworkflow, type Subworkflows } from './check-subworkflows.js';
import { checkTriggers } from './check-triggers.js';
import { checkWaits } from './check-waits.js';
import { type Draft, isRecord, readDraft } from './draft.js';
import { Findings, type SourceMap } from './findings.js';
import { checkSchema } from './schema.js';
import { rememberPlan } from './plans.js';
import type { NodeSpec, WorkflowSpec } from './types.js';

export interface ValidateOptions extends ExecutorOptions {
  /** Gives problems their file, line and column. */
  readonly source?: SourceMap;
  /** false: the document was made by an importer and has the right form. Default true. */
  readonly schema?: boolean;
  /** Reads what subworkflow nodes run. */
  readonly loadSubworkflow?: LoadSubworkflow;
}

export interface Validation {
  /** The spec in normal form: every node has `dependencies`, each `compensate` is a node, edges without a condition are folded in. Absent when there are errors. */
  spec?: WorkflowSpec;
  /** Errors and warnings, in the order of the file when it is known. */
  problems: Problem[];
}

/**
 * Checks a document whole and reports everything that is wrong with it. Never throws for bad input. The spec shares with the document
 * what is in normal form there.
 */
export function validateSpec(value: unknown, options: ValidateOptions = {}): Validation {
  const findings = new Findings();
  if (options.schema !== false) checkSchema(value, findings);
  const draft = readDraft(value);
  for (const { index, owner } of draft.nodes)
    if (owner !== undefined) findings.relocate(index, ['nodes', owner.index, 'compensate']);
  if (!findings.hasErrors) checkNodeIds(draft, findings);
  checkTriggers(draft, findings);
  checkCompensations(draft, value, findings);
  const plan = checkGraph(draft, findings);
  checkConditions(draft, findings);
  checkRepeats(draft, findings);
  const loading = { load: options.loadSubworkflow, mustKnow: options.baseDir !== undefined };
  const children = checkSubworkflows(
    draft,
    isRecord(value) ? value.subworkflows : undefined,
    loading,
    findings,
  );
  checkExecutors(draft, options, findings);
  checkWaits(draft, findings);
  checkGroups(draft, options.functions, findings);
  checkMaps(draft, findings);
  checkIsolation(draft, options.functions, findings);
  checkSchedule(value, findings);
  checkQueues(draft, findings);
  checkContracts(value, draft, findings);
  checkSupported(draft, findings);
  const problems = [...findings.toProblems(options.source), ...children.problems];
  if (findings.hasErrors) return { problems };
  const spec = normalise(value as WorkflowSpec, draft, children);
  if (plan !== undefined) rememberPlan(spec, plan);
  return { spec, problems };
}

function normalise(spec: WorkflowSpec, draft: Draft, { definitions, specs }: Subworkflows): WorkflowSpec {
  const edges = (spec.edges ?? []).filter(({ condition }) => condition !== undefined);
  return {
    workflow: { ...spec.workflow },
    ...(edges.length > 0 && { edges }),
    ...(spec.contracts !== undefined && { contracts: spec.contracts }),
    ...(definitions.size > 0 && { subworkflows: specs }),
    nodes: spec.nodes
      .map((node, index) => normalNode(node, draft.nodes[index].dependencies, definitions.get(index)))
      .concat(draft.nodes.slice(spec.nodes.length).map(compensationSpec)),
  };
}

/** Itself, if it is in normal form: a copy of each of a million nodes takes half of their room once more. */
function normalNode(
  node: NodeSpec,
  dependencies: readonly string[],
  definition: string | undefined,
): NodeSpec {
  const isNormal = node.dependencies === dependencies && node.definition === definition;
  if (isNormal && !Object.hasOwn(node, 'compensate')) return node;
  const { compensate: _, ...rest } = node;
  return { ...rest, dependencies: [...dependencies], ...(definition !== undefined && { definition }) };
}

/** Throws when there is an error among the problems: CYCLE if cycles are all that is wrong, else SPEC_INVALID. */
export function throwProblems(problems: readonly Problem[], what: string): void {
  const errors = problems.filter((problem) => problem.severity === 'error');
  if (errors.length === 0) return;
  const cyclic = errors.every((problem) => problem.code === 'CYCLE' || problem.code === 'SELF_DEPENDENCY');
  const [first] = errors;
  const place = first.line === undefined ? what : `${what}:${first.line}:${first.column ?? 1}`;
  const count = errors.length === 1 ? '' : ` (and ${errors.length - 1} more)`;
  throw new MaestroError(cyclic ? 'CYCLE' : 'SPEC_INVALID', `${place}: ${first.message}${count}`, {
    problems,
  });
}
