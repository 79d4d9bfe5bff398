import { MaestroError } from '../base/errors.js';
import { isRecord } from './draft.js';
import { Findings, formatPath, type Path, type SourceMap } from './findings.js';
import type { NodeSpec, WorkflowSpec } from './types.js';
import { throwProblems } from './validate.js';

/** The step that imported tasks execute: it waits for `config.seconds`. */
export const SLEEP_STEP = 'maestro:sleep#task';

const TASKS: Path = ['workflow', 'specification', 'tasks'];

/** Whether a document is in WfFormat (https://wfcommons.org/format), any version. */
export function isWfFormat(value: unknown): boolean {
  if (!isRecord(value) || !isRecord(value.workflow) || 'nodes' in value) return false;
  const { specification, tasks, jobs } = value.workflow;
  return isRecord(specification) || Array.isArray(tasks) || Array.isArray(jobs);
}

/**
 * Turns a WfFormat document (1.5 or later) into a spec whose nodes sleep for the recorded runtime × `timeScale`
 * (0: no work). Ids are kept; dependencies come from `parents`.
 * @throws SPEC_INVALID when it is not of that form, USAGE when timeScale is negative or not finite
 */
export function importWfFormat(value: unknown, timeScale = 1, source?: SourceMap): WorkflowSpec {
  if (!Number.isFinite(timeScale) || timeScale < 0) {
    throw new MaestroError('USAGE', `the time scale must be a number of at least 0, not ${timeScale}`);
  }
  const root = record(value);
  const tasks = record(record(root.workflow).specification).tasks;
  const findings = new Findings();
  const name = formatPath(TASKS);
  if (!Array.isArray(tasks)) {
    findings.error('WFFORMAT', TASKS, `${name} is missing: only WfFormat 1.5 and later can be read`);
  } else if (tasks.length === 0) {
    findings.error('WFFORMAT', TASKS, `${name} is empty: a workflow needs at least one node`);
  }
  const execution = record(record(root.workflow).execution);
  const runtimes = readRuntimes(execution);
  const nodes: NodeSpec[] = [];
  asArray(tasks).forEach((task: unknown, index) => {
    const node = toNode(task, index, runtimes, timeScale, findings);
    if (node !== undefined) nodes.push(node);
  });
  throwProblems(findings.toProblems(source), source?.file ?? 'the WfFormat document');
  return { workflow: header(root, execution, nodes.length, timeScale), nodes };
}

/** Places of an imported spec's parts are those of the tasks they were made of. */
export function mapToTasks(source: SourceMap): SourceMap {
  const keys: Record<string, string> = { dependencies: 'parents' };
  const translate = ([first, index, key, ...rest]: Path): Path => {
    if (first !== 'nodes') return [];
    if (index === undefined) return TASKS;
    return [...TASKS, index, ...(key === undefined ? [] : [keys[key] ?? key]), ...rest];
  };
  return { file: source.file, locate: (paths) => source.locate(paths.map(translate)) };
}

function readRuntimes(execution: Record<string, unknown>): Map<string, number> {
  const runtimes = new Map<string, number>();
  for (const task of asArray(execution.tasks)) {
    const { id, runtimeInSeconds } = record(task);
    if (typeof id !== 'string' || typeof runtimeInSeconds !== 'number') continue;
    runtimes.set(id, Math.max(0, runtimeInSeconds));
  }
  return runtimes;
}

function toNode(
  task: unknown,
  index: number,
  runtimes: ReadonlyMap<string, number>,
  timeScale: number,
  findings: Findings,
): NodeSpec | undefined {
  const { id, name, parents, category } = record(task);
  if (typeof id !== 'string') {
    const path = [...TASKS, index];
    findings.error('WFFORMAT', path, `${formatPath([...path, 'id'])} must be a string`);
    return undefined;
  }
  const dependencies = parents ?? [];
  if (!isStringArray(dependencies)) {
    const path = [...TASKS, index, 'parents'];
    findings.error('WFFORMAT', path, `${formatPath(path)} must be a list of ids`, id);
    return undefined;
  }
  const runtime = runtimes.get(id);
  const label = label255(name) ?? id;
  return {
    id,
    name: label,
    type: 'custom',
    dependencies,
    expected_seconds: (runtime ?? 0) * timeScale,
    config: { seconds: (runtime ?? 0) * timeScale, category: label255(category) ?? label },
    ...(runtime !== undefined && { metadata: { runtime_seconds: runtime } }),
    uses: SLEEP_STEP,
  };
}

function header(
  root: Record<string, unknown>,
  execution: Record<string, unknown>,
  taskCount: number,
  timeScale: number,
): WorkflowSpec['workflow'] {
  const name = label255(root.name) ?? 'workflow';
  return {
    id: toWorkflowId(name),
    name,
    metadata: {
      source: 'wfformat',
      schema_version: root.schemaVersion ?? null,
      description: root.description ?? null,
      created_at: root.createdAt ?? null,
      runtime_system: root.runtimeSystem ?? null,
      makespan_seconds: execution.makespanInSeconds ?? null,
      task_count: taskCount,
      time_scale: timeScale,
    },
  };
}

/** A valid workflow id made of any text. */
function toWorkflowId(name: string): string {
  const id = name
    .replace(/\.json$/, '')
    .replace(/[^A-Za-z0-9._:@+-]+/g, '-')
    .replace(/^[^A-Za-z0-9_]+/, '')
    .slice(0, 255);
  return id === '' || ['__proto__', 'constructor', 'prototype'].includes(id) ? 'workflow' : id;
}

function label255(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, 255) : undefined;
}

function record(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

function isStringArray(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
