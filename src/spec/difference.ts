import { isDeepStrictEqual } from 'node:util';
import { expandGroups } from '../graph/index.js';
import { definitionHash } from './hash.js';
import { graphNodes } from './plans.js';
import type { ContractSpec, NodeSpec, WorkflowSpec } from './types.js';

/** A field that two definitions do not have alike; null where it is not given. Document form. */
export interface FieldDifference {
  field: string;
  before: unknown;
  after: unknown;
}

/** A node that both have, but not alike. */
export interface NodeDifference {
  node_id: string;
  fields: FieldDifference[];
  /** Whether any of them has a say in whether the node runs, or in what comes of that: see `HOW_IT_RUNS`. */
  decides: boolean;
}

/** How two definitions of a workflow differ, node by node. Document form: it goes to users as it is. */
export interface DefinitionDifference {
  /** Hashes. */
  before: string;
  after: string;
  /** Ids of nodes that only the second has, in its order; those that only the first has, in its order. */
  added: string[];
  removed: string[];
  /** In the order of the first. */
  changed: NodeDifference[];
  /** How many nodes both have alike. */
  unchanged: number;
  /** Settings of the workflow as a whole. */
  workflow: FieldDifference[];
}

/** Fields of a node that say how, when and where it runs; all others have a say in what comes of it. */
export const HOW_IT_RUNS: ReadonlySet<string> = new Set<keyof NodeSpec>([
  'execution_mode',
  'expected_seconds',
  'retry_policy',
  'timeout_seconds',
  'total_timeout_seconds',
  'heartbeat_timeout_seconds',
  'isolation',
  'resources',
  'queue',
  'slots',
  'priority',
  'cache',
  'max_concurrency',
]);

/**
 * Compares two definitions in normal form, node by node. The order of nodes and of dependencies is no difference. What
 * a node has from elsewhere counts as its own: the dependencies and edges of its group, the conditions on edges that lead
 * to it (`edges`), the contracts that it names (`contracts`). O(nodes + edges).
 */
export function compareDefinitions(before: WorkflowSpec, after: WorkflowSpec): DefinitionDifference {
  const [first, second] = [viewsOf(before), viewsOf(after)];
  const changed: NodeDifference[] = [];
  let unchanged = 0;
  for (const [node_id, view] of first) {
    const other = second.get(node_id);
    if (other === undefined) continue;
    const fields = compareFields(view, other);
    if (fields.length === 0) unchanged++;
    else changed.push({ node_id, fields, decides: fields.some(({ field }) => !HOW_IT_RUNS.has(field)) });
  }
  return {
    before: definitionHash(before),
    after: definitionHash(after),
    added: [...second.keys()].filter((id) => !first.has(id)),
    removed: [...first.keys()].filter((id) => !second.has(id)),
    changed,
    unchanged,
    workflow: compareFields(settingsOf(before), settingsOf(after)),
  };
}

/** Whether the second definition does the same as the first: at most their nodes are in another order. */
export function isSameDefinition({ added, removed, changed, workflow }: DefinitionDifference): boolean {
  return added.length + removed.length + changed.length + workflow.length === 0;
}

type View = Readonly<Record<string, unknown>>;

/** What is compared of each node, by id. */
function viewsOf(spec: WorkflowSpec): Map<string, View> {
  const dependencies = expandGroups(graphNodes(spec)).map((node) => [...new Set(node.dependencies)].sort());
  const edges = edgesOf(spec);
  const contracts = new Map((spec.contracts ?? []).map((contract) => [contract.id, contract]));
  return new Map(
    spec.nodes.map((node, index) => {
      const { id, members, ...fields } = node;
      const { input_contracts = [], output_contracts = [] } = node;
      const named = [...new Set([...input_contracts, ...output_contracts])];
      return [
        id,
        {
          ...fields,
          // Those of a group are those of its members, and what it depends on are these.
          dependencies: dependencies[index],
          members: members === undefined ? undefined : [...members].sort(),
          order: orderedMembers(node),
          edges: edges.get(id),
          contracts: named.length === 0 ? undefined : named.map((each) => contracts.get(each) ?? each),
        },
      ];
    }),
  );
}

/** The order of members, where it matters: who starts over with a member that failed. */
function orderedMembers({ members, supervision }: NodeSpec): readonly string[] | undefined {
  return supervision?.strategy === 'rest_for_one' ? members : undefined;
}

/** Conditions on edges, by the node an edge leads to, then by the one it comes from; those of a group are its members', too. */
function edgesOf({ edges = [], nodes }: WorkflowSpec): Map<string, Record<string, string>> {
  const members = new Map(nodes.flatMap(({ id, members: own }) => (own === undefined ? [] : [[id, own]])));
  const into = new Map<string, Map<string, string>>();
  for (const { from, to, condition } of edges) {
    if (condition === undefined) continue;
    for (const target of [to, ...(members.get(to) ?? [])]) {
      const known = into.get(target) ?? new Map<string, string>();
      if (target === to || !known.has(from)) known.set(from, condition);
      into.set(target, known);
    }
  }
  return new Map([...into].map(([to, conditions]) => [to, Object.fromEntries([...conditions].sort())]));
}

/** The workflow's own fields, and its contracts by id: those are its nodes' too, where they name them. */
function settingsOf({ workflow, contracts = [] }: WorkflowSpec): View {
  const named = contracts.map((contract: ContractSpec) => [`contract ${contract.id}`, contract] as const);
  return { ...workflow, ...Object.fromEntries(named) };
}

function compareFields(before: View, after: View): FieldDifference[] {
  const fields: FieldDifference[] = [];
  for (const field of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [a, b] = [before[field] ?? null, after[field] ?? null];
    if (!isDeepStrictEqual(a, b)) fields.push({ field, before: a, after: b });
  }
  return fields;
}
