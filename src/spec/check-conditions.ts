import { isMaestroError } from '../base/errors.js';
import { compileCondition } from '../policy/condition.js';
import { compileValue } from '../policy/value-expression.js';
import { templateExpressions } from '../policy/value-template.js';
import { Ancestry } from './ancestry.js';
import { isRecord, type Draft } from './draft.js';
import type { Findings } from './findings.js';
import { didYouMean } from './suggest.js';

/** A condition of a node, or on an edge, where it is written. */
interface Given {
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
}

/** Checks that conditions compile and read only outputs that will be there when they are evaluated. */
export function checkConditions(draft: Draft, findings: Findings): void {
  const ancestry = new Ancestry(draft);
  for (const given of conditionsOf(draft)) {
    const { condition, path, owner, nodeId } = given;
    if (typeof condition !== 'string' || condition === '') continue;
    try {
      const { references } = given.isValue === true ? compileValue(condition) : compileCondition(condition);
      if (references === 'all') continue;
      checkReferences(draft, ancestry, given, references, findings);
    } catch (error) {
      if (!isMaestroError(error)) throw error;
      const code = given.isValue === true ? 'BAD_EXPRESSION' : 'BAD_CONDITION';
      findings.error(code, path, `${owner}: ${error.message}`, nodeId);
    }
  }
}

function conditionsOf({ nodes, edges }: Draft): Given[] {
  return [
    ...nodes.map(({ id, index, fields }): Given => {
      const path = ['nodes', index, 'condition'];
      const owner = `node ${JSON.stringify(id)}`;
      return { condition: fields.condition, path, owner, nodeId: id, before: id, itself: false };
    }),
    ...nodes.flatMap(({ id, index, fields: { repeat } }): Given[] => {
      if (!isRecord(repeat)) return [];
      const path = ['nodes', index, 'repeat', 'until'];
      const owner = `the loop of node ${JSON.stringify(id)}`;
      return [{ condition: repeat.until, path, owner, nodeId: id, before: id, itself: true }];
    }),
    ...nodes.flatMap(({ id, index, fields }): Given[] =>
      templateExpressions(fields.with).map(({ source, path }) => ({
        condition: source,
        path: ['nodes', index, 'with', ...path],
        owner: `"with" of node ${JSON.stringify(id)}`,
        nodeId: id,
        before: id,
        itself: false,
        isValue: true,
      })),
    ),
    ...nodes.flatMap(({ id, index, fields: { cache } }): Given[] => {
      if (!isRecord(cache)) return [];
      const path = ['nodes', index, 'cache', 'key'];
      const owner = `the cache of node ${JSON.stringify(id)}`;
      return [{ condition: cache.key, path, owner, nodeId: id, before: id, itself: false, isValue: true }];
    }),
    ...edges.map(({ index, from, to, condition }): Given => {
      const path = ['edges', index, 'condition'];
      const owner = `the edge from ${JSON.stringify(from)} to ${JSON.stringify(to)}`;
      return { condition, path, owner, nodeId: to, before: from, itself: true };
    }),
  ];
}

function checkReferences(
  draft: Draft,
  ancestry: Ancestry,
  { path, owner, nodeId, before, itself, isValue }: Given,
  references: readonly string[],
  findings: Findings,
): void {
  const others = itself ? references.filter((id) => id !== before) : references;
  for (const id of ancestry.missing(before, others)) {
    const what = isValue === true ? owner : `the condition of ${owner}`;
    const reads = `${what} reads the output of ${JSON.stringify(id)}`;
    const without = itself ? `${JSON.stringify(before)} does not depend on` : 'it does not depend on';
    const why = draft.byId.has(id)
      ? `which ${without}: the output would not be there`
      : `which is not a node${didYouMean(id, draft.byId.keys())}`;
    findings.error(isValue === true ? 'BAD_EXPRESSION' : 'BAD_CONDITION', path, `${reads}, ${why}`, nodeId);
  }
}
