import { isMaestroError } from '../base/errors.js';
import { compileCondition } from '../policy/condition.js';
import { compileList } from '../policy/map-list.js';
import { compileValue } from '../policy/value-expression.js';
import { templateExpressions } from '../policy/value-template.js';
import { Ancestry } from './ancestry.js';
import { stagesOf } from './check-maps.js';
import { isRecord, type Draft, type DraftNode } from './draft.js';
import type { Findings } from './findings.js';
import { didYouMean } from './suggest.js';

/** A condition of a node, or on an edge, or the expression of a map, where it is written. */
interface Given {
  readonly key: 'condition' | 'map';
  readonly condition: unknown;
  readonly path: (string | number)[];
  /** As messages name what it belongs to. */
  readonly owner: string;
  readonly nodeId: string;
  /** Whose outputs it can read: what comes before this node, and with `itself` its own. */
  readonly before: string;
  readonly itself: boolean;
  /** It gives a value, not yes or no. */
  readonly isValue?: boolean;
  /** Whether it is asked for each item of a list. */
  readonly hasItem?: boolean;
}

/**
 * Checks that conditions, and expressions of maps, compile and read only outputs that will be there when they are
 * evaluated.
 */
export function checkConditions(draft: Draft, findings: Findings): void {
  const ancestry = new Ancestry(draft);
  for (const given of conditionsOf(draft)) {
    const { condition, path, owner, nodeId } = given;
    if (typeof condition !== 'string' || condition === '') continue;
    try {
      const { references } = compilerOf(given)(condition);
      if (references === 'all') continue;
      checkReferences(draft, ancestry, given, references, findings);
    } catch (error) {
      if (!isMaestroError(error)) throw error;
      findings.error(codeOf(given), path, `${owner}: ${error.message}`, nodeId);
    }
  }
}

function codeOf({ key, isValue }: Given): 'BAD_MAP' | 'BAD_EXPRESSION' | 'BAD_CONDITION' {
  if (key === 'map') return 'BAD_MAP';
  return isValue === true ? 'BAD_EXPRESSION' : 'BAD_CONDITION';
}

function compilerOf({
  key,
  isValue,
  hasItem,
}: Given): (text: string) => { references: readonly string[] | 'all' } {
  if (key === 'map') return compileList;
  return isValue === true ? compileValue : (text) => compileCondition(text, { hasItem });
}

function conditionsOf(draft: Draft): Given[] {
  const { nodes, edges } = draft;
  const stages = stagesOf(draft);
  // Most nodes, of which there may be a million, have none of these.
  const having = (...keys: readonly string[]): DraftNode[] =>
    nodes.filter(({ fields }) => keys.some((key) => fields[key] !== undefined));
  return [
    ...having('condition', 'map').flatMap(({ id, index, fields }) =>
      (['condition', 'map'] as const).map((key): Given => {
        const path = ['nodes', index, key];
        const owner = `node ${JSON.stringify(id)}`;
        const hasItem = stages.has(id);
        return { key, condition: fields[key], path, owner, nodeId: id, before: id, itself: false, hasItem };
      }),
    ),
    ...having('repeat').flatMap(({ id, index, fields: { repeat } }): Given[] => {
      if (!isRecord(repeat)) return [];
      const path = ['nodes', index, 'repeat', 'until'];
      const owner = `the loop of node ${JSON.stringify(id)}`;
      return [
        { key: 'condition', condition: repeat.until, path, owner, nodeId: id, before: id, itself: true },
      ];
    }),
    ...having('with').flatMap(({ id, index, fields }): Given[] =>
      templateExpressions(fields.with).map(({ source, path }) => ({
        key: 'condition' as const,
        condition: source,
        path: ['nodes', index, 'with', ...path],
        owner: `"with" of node ${JSON.stringify(id)}`,
        nodeId: id,
        before: id,
        itself: false,
        isValue: true,
      })),
    ),
    ...having('cache').flatMap(({ id, index, fields: { cache } }): Given[] => {
      if (!isRecord(cache)) return [];
      const path = ['nodes', index, 'cache', 'key'];
      const owner = `the cache of node ${JSON.stringify(id)}`;
      return [
        {
          key: 'condition',
          condition: cache.key,
          path,
          owner,
          nodeId: id,
          before: id,
          itself: false,
          isValue: true,
        },
      ];
    }),
    ...edges.map(({ index, from, to, condition }): Given => {
      const path = ['edges', index, 'condition'];
      const owner = `the edge from ${JSON.stringify(from)} to ${JSON.stringify(to)}`;
      return { key: 'condition', condition, path, owner, nodeId: to, before: from, itself: true };
    }),
  ];
}

function checkReferences(
  draft: Draft,
  ancestry: Ancestry,
  given: Given,
  references: readonly string[],
  findings: Findings,
): void {
  const { key, path, owner, nodeId, before, itself, isValue } = given;
  const others = itself ? references.filter((id) => id !== before) : references;
  for (const id of ancestry.missing(before, others)) {
    const what = isValue === true ? owner : `the ${key} of ${owner}`;
    const reads = `${what} reads the output of ${JSON.stringify(id)}`;
    const without = itself ? `${JSON.stringify(before)} does not depend on` : 'it does not depend on';
    const why = draft.byId.has(id)
      ? `which ${without}: the output would not be there`
      : `which is not a node${didYouMean(id, draft.byId.keys())}`;
    findings.error(codeOf(given), path, `${reads}, ${why}`, nodeId);
  }
}
