import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { run as evaluate } from '@bufbuild/cel';
import type { StepContext, StepFunction } from '../../src/base/step.js';
import { loadWorkflowFile } from '../../src/spec/index.js';
import type { NodeSpec, Workflow } from '../../src/spec/index.js';

export const TEMPLATES = join(import.meta.dirname, '../../src/cli/templates');

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- outputs of templates are untyped JSON
export type Output = any;

export interface TemplateRun {
  outputs: Record<string, Output>;
  artifacts: Record<string, string[]>;
  skipped: string[];
  progress: { nodeId: string; fraction: number }[];
}

/** Imports a module of a template; plain JavaScript, hence untyped. */
export async function templateModule(
  ...path: string[]
): Promise<Record<string, (...args: Output[]) => Output>> {
  return (await import(pathToFileURL(join(TEMPLATES, ...path)).href)) as never;
}

/**
 * Executes a template's steps one after another with made-up step contexts: no engine, no store, no threads.
 * Outputs go through JSON, as they do between real nodes.
 */
export async function runTemplate(
  file: string,
  out: string,
  context: Record<string, unknown> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<TemplateRun> {
  const { workflow } = await loadWorkflowFile(join(TEMPLATES, file));
  const result: TemplateRun = { outputs: {}, artifacts: {}, skipped: [], progress: [] };
  const globalContext = { ...workflow.spec.workflow.global_context, ...context };
  const settled = new Set<string>();
  while (settled.size < workflow.spec.nodes.length) {
    const node = workflow.spec.nodes.find(
      ({ id, dependencies = [] }) => !settled.has(id) && dependencies.every((other) => settled.has(other)),
    )!;
    settled.add(node.id);
    if (node.condition !== undefined && !holds(node.condition, result.outputs, globalContext)) {
      result.skipped.push(node.id);
      continue;
    }
    const step = stepContext(node, { result, out, globalContext, signal });
    const raw =
      node.uses === undefined ? runCommand(node, workflow, step) : await runModule(node, workflow, step);
    const output = JSON.parse(JSON.stringify(raw ?? null));
    result.outputs[node.id] = output;
    result.artifacts[node.id] = (output as { artifacts?: string[] } | null)?.artifacts ?? [];
  }
  return result;
}

function holds(condition: string, outputs: Output, globalContext: Output): boolean {
  const value = evaluate(condition, { outputs, global_context: globalContext });
  if (typeof value !== 'boolean') throw new Error(`${condition} gives no boolean`);
  return value;
}

interface Run {
  result: TemplateRun;
  out: string;
  globalContext: Record<string, unknown>;
  signal: AbortSignal;
}

function stepContext(node: NodeSpec, { result, out, globalContext, signal }: Run): StepContext {
  const ofDependencies = <T>(all: Record<string, T>): Record<string, T> =>
    Object.fromEntries((node.dependencies ?? []).filter((id) => id in all).map((id) => [id, all[id]]));
  return {
    workflowId: 'w',
    executionId: 'e',
    nodeId: node.id,
    nodeName: node.name,
    nodeConfig: node.config ?? {},
    dependencyOutputs: structuredClone(ofDependencies(result.outputs)),
    dependencyArtifacts: ofDependencies(result.artifacts),
    globalContext,
    allOutputs: async () => result.outputs,
    allArtifacts: async () => result.artifacts,
    attempt: 1,
    iteration: 1,
    previousOutput: null,
    idempotencyKey: `e/${node.id}`,
    artifactDir: () => {
      const folder = join(out, node.id);
      mkdirSync(folder, { recursive: true });
      return folder;
    },
    signal,
    heartbeat: () => {},
    progress: (fraction) => result.progress.push({ nodeId: node.id, fraction }),
  };
}

async function runModule(node: NodeSpec, workflow: Workflow, context: StepContext): Promise<unknown> {
  const [path, name] = node.uses!.split('#');
  const module = (await import(pathToFileURL(join(workflow.baseDir, path)).href)) as Record<
    string,
    StepFunction
  >;
  return (module[name] as StepFunction<Record<string, unknown>>)(context);
}

function runCommand(node: NodeSpec, workflow: Workflow, context: StepContext): unknown {
  const child = spawnSync(node.run!, {
    shell: true,
    cwd: workflow.baseDir,
    encoding: 'utf8',
    input: JSON.stringify({
      node_id: context.nodeId,
      dependency_outputs: context.dependencyOutputs,
      global_context: context.globalContext,
    }),
  });
  if (child.status !== 0) throw new Error(`${node.run}: ${child.stderr}`);
  return JSON.parse(child.stdout.trimEnd().split('\n').at(-1)!);
}
