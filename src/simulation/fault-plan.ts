import { keyedRandom, oneOf } from './keyed-random.js';
import type { CommitFault } from './disk.js';
import type { WorkflowModel } from './workflow-model.js';

/** What can be made to go wrong in a simulated execution. */
export const FAULTS = ['crash', 'timeout', 'error'] as const;
export type FaultKind = (typeof FAULTS)[number];

/** The first attempts of a node fail, or outlast their time. Of a wait: nobody answers before its deadline. */
export interface Strike {
  readonly kind: 'timeout' | 'error';
  readonly attempts: number;
}

/** How many nodes of an execution a kind of fault is to strike, on average. Some executions are left alone. */
const STRUCK_ON_AVERAGE = [0, 0.5, 1, 2];
/** In a small workflow more would leave hardly an execution that gets far. */
const MOST_STRUCK = 0.25;
const MOST_CRASHES = 3;

/** The faults of one seed. */
export interface FaultPlan {
  readonly strikes: ReadonlyMap<number, Strike>;
  /** Commits that are the last of their process, counted from 0. */
  readonly crashes: ReadonlyMap<number, CommitFault>;
}

export function planFaults(model: WorkflowModel, seed: number, kinds: ReadonlySet<FaultKind>): FaultPlan {
  const strikes = new Map<number, Strike>();
  for (const kind of ['timeout', 'error'] as const)
    if (kinds.has(kind))
      for (const [node, strike] of planStrikes(model, seed, kind)) strikes.set(node, strike);
  return { strikes, crashes: kinds.has('crash') ? planCrashes(model, seed) : new Map() };
}

function planStrikes(model: WorkflowModel, seed: number, kind: Strike['kind']): [number, Strike][] {
  const exposed = exposedTo(model, kind);
  const wanted = oneOf(keyedRandom(seed, 'strikes', kind), STRUCK_ON_AVERAGE);
  const share = Math.min(MOST_STRUCK, wanted / exposed.length);
  return exposed.flatMap((node) => {
    const random = keyedRandom(seed, 'strike', kind, model.nodes[node].id);
    if (random() >= share) return [];
    const most = model.waitOf(node) === null ? model.policyOf(node).max_attempts : 1;
    return [[node, { kind, attempts: 1 + Math.floor(random() * most) }]];
  });
}

/** The nodes that a kind of fault can strike at all. */
export function exposedTo(model: WorkflowModel, kind: FaultKind): number[] {
  return model.nodes.flatMap((node, index) => {
    const wait = model.waitOf(index);
    if (kind === 'crash') return [index];
    if (model.isGroup(index)) return [];
    if (kind === 'error') return wait === null ? [index] : [];
    if (wait !== null) return wait.kind !== 'time' && wait.deadlineSeconds !== null ? [index] : [];
    return node.timeout_seconds !== undefined || node.heartbeat_timeout_seconds !== undefined ? [index] : [];
  });
}

/** An execution makes about one commit for each node; each may be the one at which the process dies. */
function planCrashes(model: WorkflowModel, seed: number): Map<number, CommitFault> {
  const random = keyedRandom(seed, 'crashes');
  const crashes = new Map<number, CommitFault>();
  let commit = 0;
  for (let left = Math.floor(random() * (MOST_CRASHES + 1)); left > 0; left--) {
    commit += Math.floor(random() * (model.plan.nodeCount + 3));
    crashes.set(commit++, { kind: 'crash', applied: random() < 0.5 });
  }
  return crashes;
}
