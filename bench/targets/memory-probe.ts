import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  createRuntime,
  workflowFromSpec,
  type Workflow,
  type WorkflowSpec,
} from '../../src/runtime/index.js';
import { dieWhenAnswered } from '../child.js';
import { casesOf } from '../matrix.js';
import { graphOf } from '../shapes.js';
import { inFolder } from '../folder.js';
import type { PendingMemory } from './types.js';
import { specOf } from '../workloads.js';

const WIDTH = 1000;
const WARM_NODES = 2000;
const FURTHER = 4;
/** For what follows a start: the first commit, and the node that then waits. */
const SETTLE_MS = 1000;

interface Memory {
  readonly resident: number;
  readonly alive: number;
}

/** Memory of executions whose first node waits, and all others with it. */
export function pendingMemory({ nodes }: { readonly nodes: number }): Promise<PendingMemory> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const memory = (): Memory => {
    // Twice: what the first one finalizes goes with the second.
    collect();
    collect();
    const { rss, heapUsed, external } = process.memoryUsage();
    return { resident: rss, alive: heapUsed + external };
  };
  return inFolder(async (folder) => {
    const runtime = await createRuntime({ store: `lmdb:${folder}`, artifactRoot: folder });
    const never = new Promise<never>(() => undefined);
    const make = (spec: WorkflowSpec): Workflow =>
      workflowFromSpec(spec, { functions: new Map([[spec.nodes[0].id, () => never]]) });
    const start = async (workflow: Workflow): Promise<void> => {
      await runtime.start(workflow);
      await settle();
    };
    await start(make(gated(WARM_NODES)));
    const before = memory();
    const spec = gated(nodes);
    const defined = memory();
    const workflow = make(spec);
    await start(workflow);
    const started = memory();
    for (let k = 0; k < FURTHER; k++) await start(workflow);
    const all = memory();
    dieWhenAnswered();
    return {
      definition: growth(before, defined) / nodes,
      first: growth(defined, started) / nodes,
      firstAlive: (started.alive - defined.alive) / nodes,
      ofFive: growth(defined, all) / (1 + FURTHER) / nodes,
    };
  });
}

/**
 * What is resident more than before, and what is alive at least: that may lie in pages which the process had already, and
 * which it gives back in between.
 */
function growth(before: Memory, after: Memory): number {
  return Math.max(after.resident - before.resident, after.alive - before.alive);
}

/** Layers of nodes behind one that waits. */
function gated(nodes: number): WorkflowSpec {
  const [each] = casesOf({ shapes: ['layered'] });
  const { dependencies } = graphOf('layered', { nodes: nodes - 1, width: WIDTH, seed: each.seed });
  const behind = dependencies.map((before) => (before.length > 0 ? before.map((node) => node + 1) : [0]));
  const spec = specOf(each, { executions: 1, dependencies: [[], ...behind] });
  const [{ uses: _, ...first }, ...rest] = spec.nodes;
  return { ...spec, nodes: [first, ...rest] };
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}
