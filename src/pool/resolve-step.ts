import { MaestroError } from '../base/errors.js';
import type { StepFunction } from '../base/step.js';
import { resolveUses, type Isolation, type NodeSpec, type Workflow } from '../spec/index.js';
import type { StepKind, StepRef } from './port.js';
import { findStep, loadStep } from './worker/modules.js';

const KIND_OF: Readonly<Record<Isolation, StepKind>> = {
  inline: 'inline',
  thread: 'module',
  process: 'process',
};

/** Where a node's step runs, without resolving it. `isolation` is the workflow's default for `uses`. */
export function kindOfStep(
  node: NodeSpec,
  functions: Workflow['functions'],
  isolation: Isolation = 'thread',
): StepKind {
  if (functions.has(node.id)) return 'inline';
  if (node.uses !== undefined) return KIND_OF[node.isolation ?? isolation];
  return node.run === undefined ? 'inline' : 'command';
}

/** Whether it is known what a node executes: else `resolveStep` throws. */
export function hasStep({ id, uses, run }: NodeSpec, functions: Workflow['functions']): boolean {
  return uses !== undefined || run !== undefined || functions.has(id);
}

/**
 * What a node executes: its inline function, else its `uses` module, else its `run` command. Looks at no file: a
 * missing module fails its node, not the workflow. `isolation` is the workflow's default for `uses`. Nodes that run the
 * same module share one step by way of `known`.
 * @throws EXECUTOR_MISSING when the node has none of the three, SPEC_INVALID for a malformed `uses`
 */
export function resolveStep(
  node: NodeSpec,
  workflow: Pick<Workflow, 'baseDir' | 'functions'>,
  isolation?: Isolation,
  known = new Map<string, StepRef>(),
): StepRef {
  const fn = workflow.functions.get(node.id);
  if (fn !== undefined) return { kind: 'inline', key: `inline:${node.id}`, fn };
  if (node.uses !== undefined) {
    const kind = kindOfStep(node, workflow.functions, isolation);
    const same = `${kind} ${node.resources?.max_heap_mb ?? ''} ${isIdle(node) ? 'idle' : ''} ${node.uses}`;
    let step = known.get(same);
    if (step === undefined) known.set(same, (step = moduleStep(node, node.uses, kind, workflow.baseDir)));
    return step;
  }
  if (node.run !== undefined) {
    const env = { ...node.env };
    return { kind: 'command', key: `run:${node.run}`, command: node.run, cwd: workflow.baseDir, env };
  }
  throw new MaestroError(
    'EXECUTOR_MISSING',
    `node ${JSON.stringify(node.id)} has nothing to execute: neither uses, run nor a function`,
    { details: { node_id: node.id } },
  );
}

function moduleStep(node: NodeSpec, uses: string, kind: StepKind, baseDir: string): StepRef {
  const { url, exportName } = resolveUses(uses, baseDir);
  const key = `${url}#${exportName}`;
  if (kind === 'inline') return { kind, key, fn: importing(url, exportName) };
  if (kind === 'process') return { kind, key, url, exportName, maxHeapMb: node.resources?.max_heap_mb };
  return { kind: 'module', key: isIdle(node) ? `${key}@0` : key, url, exportName };
}

/** Durations are learned per step: a sleep of no time must not be taken for a real one. */
function isIdle({ uses, config }: NodeSpec): boolean {
  return uses === 'maestro:sleep#task' && !(Number(config?.seconds) > 0);
}

/** A step of a module that runs in this thread: its module is imported by its first attempt. */
function importing(url: string, exportName: string): StepFunction {
  return (context) => {
    const step = findStep(url, exportName);
    return step === undefined
      ? loadStep(url, exportName).then(({ fn }): unknown => fn(context))
      : step.fn(context);
  };
}
