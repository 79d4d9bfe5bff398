import { MaestroError } from '../base/errors.js';
import { resolveUses, type NodeSpec, type Workflow } from '../spec/index.js';
import type { StepRef } from './port.js';

/**
 * What a node executes: its inline function, else its `uses` module, else its `run` command. Looks at no file: a
 * missing module fails its node, not the workflow.
 * @throws EXECUTOR_MISSING when the node has none of the three, SPEC_INVALID for a malformed `uses`
 */
export function resolveStep(node: NodeSpec, workflow: Pick<Workflow, 'baseDir' | 'functions'>): StepRef {
  const fn = workflow.functions.get(node.id);
  if (fn !== undefined) return { kind: 'inline', key: `inline:${node.id}`, fn };
  if (node.uses !== undefined) return moduleStep(node.uses, node.config, workflow.baseDir);
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

function moduleStep(uses: string, config: NodeSpec['config'], baseDir: string): StepRef {
  const { url, exportName } = resolveUses(uses, baseDir);
  // Durations are learned per key: a sleep of no time must not be taken for a real one.
  const idle = url === 'maestro:sleep' && !(Number(config?.seconds) > 0);
  return { kind: 'module', key: `${url}#${exportName}${idle ? '@0' : ''}`, url, exportName };
}
