import type { WorkflowEvent } from '../../machines/events.js';
import type { Random } from '../../src/base/random.js';
import type { Entry } from '../../src/engine/entries.js';
import type { NodeSpec } from '../../src/spec/index.js';
import type { Shadow } from './shadow.js';
import { demand } from './violation.js';

/** Holds some nodes together. Nodes come in an order in which each depends on earlier ones only. */
export function addGroups(nodes: NodeSpec[], random: Random): void {
  const below = (n: number): number => Math.floor(random() * n);
  const count = nodes.length < 2 ? 0 : 1 + below(2);
  const memberOf = nodes.map(() => (random() < 0.7 ? below(count + 1) : 0));
  for (let group = 1; group <= count; group++) {
    const members = nodes.filter((_, k) => memberOf[k] === group);
    if (members.length === 0) continue;
    const [first, last] = [nodes.indexOf(members[0]), nodes.indexOf(members.at(-1)!)];
    const id = `g${group}`;
    for (const after of nodes.slice(last + 1))
      // What a group depends on its members do, which may come before.
      if (after.members === undefined && random() < 0.3)
        after.dependencies = [...(after.dependencies ?? []), id];
    nodes.push({
      id,
      name: id,
      type: 'parallel_group',
      dependencies: first > 0 && random() < 0.5 ? [nodes[below(first)].id] : [],
      members: members.map((member) => member.id).sort(() => random() - 0.5),
      ...(random() < 0.5 && { max_concurrency: 1 + below(3) }),
      supervision: {
        strategy: (['one_for_one', 'one_for_all', 'rest_for_one'] as const)[below(3)],
        max_restarts: [0, 1, 2, 5][below(4)],
      },
      ...(random() < 0.3 && { on_member_failure: 'cancel' }),
    });
    // A group takes its place after its members, so that later ones may depend on it.
    nodes.splice(last + 1, 0, nodes.pop()!);
    memberOf.splice(last + 1, 0, 0);
  }
}

/** What a group gives: the results of its completed members, or the names of those too large to be repeated. */
export function checkGroupOutput(shadow: Shadow, group: number, text: string): void {
  const given = JSON.parse(text) as Record<string, unknown>;
  const what = `${shadow.planned.id}: ${shadow.plan.ids[group]}`;
  const completed = shadow.dependenciesOf(group).filter((member) => shadow.isCompleted(member));
  demand(
    Object.keys(given).length === completed.length,
    'GROUP_OUTPUT',
    `${what} gives ${text.slice(0, 200)}`,
  );
  for (const member of completed) {
    const id = shadow.plan.ids[member];
    const named = JSON.stringify({ output_of: id });
    const own = JSON.stringify(given[id]);
    const fits = own === shadow.results.get(member) || own === named;
    demand(fits, 'GROUP_OUTPUT', `${what} gives another output of ${id}`);
  }
}

/** Restarts as the journal has them: no more than allowed, of a member that had failed. */
export class Restarts {
  private readonly counts = new Map<number, number>();

  constructor(private readonly shadow: Shadow) {}

  take({ node, event }: Entry): void {
    if (node >= 0) return;
    const { type } = event as WorkflowEvent;
    if (type === 'retryRequested' || type === 'rerunRequested') this.counts.clear();
    if (event.type !== 'groupRestarted') return;
    const { planned, plan, state } = this.shadow;
    const { supervision } = planned.workflow.spec.nodes[event.group];
    const count = (this.counts.get(event.group) ?? 0) + 1;
    this.counts.set(event.group, count);
    const what = `${planned.id}: ${plan.ids[event.group]} was restarted for the ${count}. time`;
    demand(count <= (supervision?.max_restarts ?? 0), 'RESTART_INTENSITY', what);
    demand(
      plan.groupOf.get(event.node) === event.group && state.columns.error.has(event.node),
      'RESTART_INTENSITY',
      `${what} for ${plan.ids[event.node]}, which has not failed`,
    );
  }
}
