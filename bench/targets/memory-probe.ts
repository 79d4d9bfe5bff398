import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createRuntime, workflowFromSpec, type NodeSpec, type Workflow } from '../../src/runtime/index.js';
import { casesOf } from '../matrix.js';
import { graphOf } from '../shapes.js';
import { inFolder } from './meter.js';
import type { PendingMemory } from './types.js';
import { workflowOf } from '../workloads.js';

const WIDTH = 1000;
const WARM_NODES = 2000;
/** For what follows a start: the first commit, and the node that then waits. */
const SETTLE_MS = 1000;

/** Memory of an execution whose first node waits, and all others with it. */
export function pendingMemory({ nodes }: { readonly nodes: number }): Promise<PendingMemory> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const residentBytes = (): number => {
    // Twice: what the first one finalizes goes with the second.
    collect();
    collect();
    return process.memoryUsage.rss();
  };
  return inFolder(async (folder) => {
    const runtime = await createRuntime({ store: `lmdb:${folder}`, artifactRoot: folder });
    let open!: () => void;
    const gate = new Promise<void>((resolve) => (open = resolve));
    await runtime.start(gated(WARM_NODES, gate));
    await settle();
    const before = residentBytes();
    const workflow = gated(nodes, gate);
    const made = residentBytes();
    const execution = await runtime.start(workflow);
    await settle();
    const started = residentBytes();
    await runtime.cancel(execution.id);
    open();
    await runtime.close({ drainMs: 0 });
    const of = (bytes: number): number => Math.max(0, bytes) / nodes;
    return { execution: of(started - made), withWorkflow: of(started - before) };
  });
}

/** Layers of nodes behind one that waits. */
function gated(nodes: number, gate: Promise<void>): Workflow {
  const [each] = casesOf({ shapes: ['layered'] });
  const { dependencies } = graphOf('layered', { nodes: nodes - 1, width: WIDTH, seed: each.seed });
  const behind = dependencies.map((before) => (before.length > 0 ? before.map((node) => node + 1) : [0]));
  const { spec } = workflowOf(each, { executions: 1, dependencies: [[], ...behind] });
  const [first, ...rest] = spec.nodes;
  const { uses: _, ...waits } = first;
  const specNodes: NodeSpec[] = [waits, ...rest];
  return workflowFromSpec({ ...spec, nodes: specNodes }, { functions: new Map([[first.id, () => gate]]) });
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}
