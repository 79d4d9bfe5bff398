import type { NodeStatus } from '../../src/base/model.js';
import { dependenciesOf } from '../../src/graph/index.js';
import { planOf } from '../../src/spec/index.js';
import { verdictOf, type End } from '../support/trigger-oracle.js';
import { asksOf } from './triggers.js';
import { fateOf, type Planned } from './scenario.js';

/**
 * How each node of an execution must end under `continue`, when nothing but its fates charges attempts, nothing is
 * asked again, and reviewers decide as fated: written anew, without the engine.
 */
export function expectedStatuses(planned: Planned): Map<string, NodeStatus> {
  const { spec } = planned.workflow;
  const nodes = new Map(spec.nodes.map((node) => [node.id, node]));
  const plan = planOf(spec);
  const statuses = new Map<string, NodeStatus>();
  /** Skipped by their own conditions. */
  const own = new Set<string>();
  const endOf = (id: string): End => {
    const status = statuses.get(id)!;
    if (status === 'skipped') return own.has(id) ? 'own' : 'skipped';
    return status === 'completed' ? 'ok' : (status as End);
  };
  const statusOf = (id: string): NodeStatus => {
    const known = statuses.get(id);
    if (known !== undefined) return known;
    const { condition, retry_policy, wait_for, sleep, wait_until, review, members } = nodes.get(id)!;
    const dependencies = [...dependenciesOf(plan, plan.indexOf.get(id)!)].map((node) => plan.ids[node]);
    const before = dependencies.map(statusOf);
    let status: NodeStatus = 'failed';
    const asks = asksOf(nodes.get(id)!);
    const verdict = asks === undefined ? 'run' : verdictOf(asks, dependencies, endOf);
    if (verdict !== 'run') status = verdict === 'skip' ? 'skipped' : 'blocked';
    else if (asks === undefined && before.some((each) => each === 'failed' || each === 'blocked'))
      status = 'blocked';
    else if (members !== undefined)
      status = before.every((each) => each === 'skipped') ? 'skipped' : 'completed';
    else if ((asks === undefined && before.includes('skipped')) || condition === 'false') {
      status = 'skipped';
      if (asks !== undefined || !before.includes('skipped')) own.add(id);
    } else if (wait_for ?? sleep ?? wait_until) status = 'completed';
    else if (review !== undefined) {
      if (review.on_reject === 'complete' || approves(planned, id)) status = 'completed';
    } else {
      for (let attempt = 1; attempt <= retry_policy!.max_attempts!; attempt++)
        if (fateOf(planned, id, attempt).outcome !== 'fail') status = 'completed';
    }
    statuses.set(id, status);
    return status;
  };
  for (const id of nodes.keys()) statusOf(id);
  return statuses;
}

/** Whether nothing but fates decides how the nodes of a workflow end. */
export function isForetold({ workflow }: Planned): boolean {
  const { spec } = workflow;
  const told = [
    'map',
    'repeat',
    'cache',
    'definition',
    'compensates',
    'output_contracts',
    'input_contracts',
  ] as const;
  return spec.edges === undefined && !spec.nodes.some((node) => told.some((key) => node[key] !== undefined));
}

/** What reviewers who keep to the fates decide. */
export function approves(planned: Planned, nodeId: string): boolean {
  return fateOf(planned, nodeId, 1).outcome !== 'fail';
}
