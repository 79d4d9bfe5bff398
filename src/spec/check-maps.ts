import { isGroup, membersOf } from './check-groups.js';
import { waitNameOf } from './check-waits.js';
import type { Draft, DraftNode } from './draft.js';
import type { Findings } from './findings.js';
import { MAP_KEYS } from './maps.js';

/** What a group whose members are done for each item cannot have: items have retries and a tolerance instead. */
const NOT_WITH_MAP = ['supervision', 'on_member_failure'] as const;
/** What a member that is done for each item cannot have. */
const NOT_OF_STAGES = ['map', 'trigger_rule', 'depends', 'members'] as const;

/** What a node that is done for each item cannot have: these are about a node as a whole. */
const NOT_MAPPED = ['repeat', 'input_contracts', 'output_contracts', 'compensate', 'cache'] as const;

type Report = (node: DraftNode, message: string, ...path: string[]) => void;

/** Checks nodes with `map`: their expressions, what they are made of, and who depends on what of them. */
export function checkMaps(draft: Draft, findings: Findings): void {
  const report: Report = (node, message, ...path) =>
    findings.error('BAD_MAP', ['nodes', node.index, ...path], `node ${name(node)} ${message}`, node.id);
  const groupOf = new Map<string, DraftNode>();
  for (const group of draft.nodes.filter(isGroup)) for (const id of membersOf(group)) groupOf.set(id, group);
  for (const node of draft.nodes) {
    if (!isMap(node)) {
      const key = MAP_KEYS.find((each) => node.fields[each] !== undefined);
      if (key !== undefined) report(node, `has "${key}", which only a node with "map" can have`, key);
      continue;
    }
    if (node.fields.max_failed !== undefined && node.fields.max_failed_percent !== undefined)
      report(node, 'has "max_failed" and "max_failed_percent": give one of them', 'max_failed_percent');
    const stages = isGroup(node) ? membersOf(node).flatMap((id) => draft.byId.get(id) ?? []) : [node];
    if (isGroup(node)) checkGroup(draft, node, stages, report);
    else checkSingle(node, groupOf.get(node.id), report);
    for (const stage of stages) {
      checkIds(draft, stage, report);
      for (const key of NOT_MAPPED)
        if (isGiven(stage.fields[key]))
          report(stage, `is done for each item of a list: it cannot have "${key}"`, key);
    }
  }
}

function isGiven(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined;
}

export function isMap({ fields }: DraftNode): boolean {
  return fields.map !== undefined;
}

/** Ids of the nodes that are done for each item of a list, with those that are so in one map with them. */
export function stagesOf(draft: Draft): ReadonlyMap<string, ReadonlySet<string>> {
  const stages = new Map<string, ReadonlySet<string>>();
  for (const node of draft.nodes.filter(isMap)) {
    const all = new Set(isGroup(node) ? membersOf(node) : [node.id]);
    for (const id of all) stages.set(id, all);
  }
  return stages;
}

function checkSingle(node: DraftNode, group: DraftNode | undefined, report: Report): void {
  const wait = node.fields.type === 'subworkflow' ? 'a subworkflow' : waitNameOf(node);
  if (wait !== null)
    report(node, `has "map" and is ${wait}: only what executes something is done for each item`, 'map');
  if (group === undefined || isMap(group)) return;
  report(
    node,
    `has "map" and is a member of the group ${name(group)}: give "map" to the group, or take it out of it`,
    'map',
  );
}

function checkGroup(draft: Draft, group: DraftNode, stages: readonly DraftNode[], report: Report): void {
  for (const key of NOT_WITH_MAP)
    if (group.fields[key] !== undefined)
      report(
        group,
        `has "map" and "${key}": members that are done for each item have retries, and the map a "max_failed"`,
        key,
      );
  const ids = new Set(stages.map(({ id }) => id));
  for (const stage of stages) {
    for (const key of NOT_OF_STAGES)
      if (stage.fields[key] !== undefined) report(stage, `${where(group)}: it cannot have "${key}"`, key);
    const wait = stage.fields.type === 'subworkflow' ? 'a subworkflow' : waitNameOf(stage);
    if (wait !== null) report(stage, `${where(group)}: it must execute something, and is ${wait}`);
    const outside = stage.dependencies.find((id) => !ids.has(id));
    if (outside !== undefined)
      report(
        stage,
        `${where(group)} and depends on ${JSON.stringify(outside)} outside: let the group depend on that`,
        'dependencies',
      );
  }
  for (const { to, condition } of draft.edges)
    if (condition !== undefined && (to === group.id || ids.has(to)))
      report(
        draft.byId.get(to) ?? group,
        `${to === group.id ? 'has "map"' : where(group)} and an edge to it has a condition: give the members conditions`,
      );
  for (const node of draft.nodes) {
    if (node === group || ids.has(node.id)) continue;
    const stage = node.dependencies.find((id) => ids.has(id));
    if (stage === undefined) continue;
    const message = `depends on ${JSON.stringify(stage)}, which is done for each item of ${name(group)}: depend on that group`;
    report(node, message, 'dependencies');
  }
}

function where(group: DraftNode): string {
  return `is done for each item of ${name(group)}`;
}

/** Items are known by `id[number]`. */
function checkIds(draft: Draft, stage: DraftNode, report: Report): void {
  for (const node of draft.nodes) {
    if (!node.id.startsWith(`${stage.id}[`) || !/^\[[0-9]+\]$/.test(node.id.slice(stage.id.length))) continue;
    report(node, `has an id that an item of ${name(stage)} has: choose another one`, 'id');
  }
}

function name({ id }: DraftNode): string {
  return JSON.stringify(id);
}
