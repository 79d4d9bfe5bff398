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

/**
 * What a node executes: its inline function, else its `uses` module, else its `run` command. Looks at no file: a
 * missing module fails its node, not the workflow. `isolation` is the workflow's default for `uses`.
 * @throws EXECUTOR_MISSING when the node has none of the three, SPEC_INVALID for a malformed `uses`
 */
export function resolveStep(
  node: NodeSpec,
  workflow: Pick<Workflow, 'baseDir' | 'functions'>,
  isolation?: Isolation,
): StepRef {
  const fn = workflow.functions.get(node.id);
  if (fn !== undefined) return { kind: 'inline', key: `inline:${node.id}`, fn };
  if (node.uses !== undefined)
    return moduleStep(node, node.uses, kindOfStep(node, workflow.functions, isolation), workflow.baseDir);
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

function moduleStep({ config, resources }: NodeSpec, uses: string, kind: StepKind, baseDir: string): StepRef {
  const { url, exportName } = resolveUses(uses, baseDir);
  const key = `${url}#${exportName}`;
  if (kind === 'inline') return { kind, key, fn: importing(url, exportName) };
  if (kind === 'process') return { kind, key, url, exportName, maxHeapMb: resources?.max_heap_mb };
  // Durations are learned per key: a sleep of no time must not be taken for a real one.
  const idle = url === 'maestro:sleep' && !(Number(config?.seconds) > 0);
  return { kind: 'module', key: idle ? `${key}@0` : key, url, exportName };
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
