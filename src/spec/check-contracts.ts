import { isMaestroError } from '../base/errors.js';
import { binds, type ContractStage } from '../policy/contracts.js';
import { compileJsonSchema } from '../policy/json-schema.js';
import type { TriggerRule } from '../policy/trigger.js';
import { Ancestry } from './ancestry.js';
import { isGroup } from './check-groups.js';
import { isRecord, type Draft, type DraftNode } from './draft.js';
import type { Findings } from './findings.js';
import { didYouMean } from './suggest.js';

interface Declared {
  readonly index: number;
  readonly stage: ContractStage;
  /** Nodes that promise it. */
  readonly providers: string[];
  needed: boolean;
}

/** Rules under which a node may run while its dependencies still do. */
const EARLY_RULES: ReadonlySet<unknown> = new Set<TriggerRule>([
  'one_success',
  'one_failed',
  'one_done',
  'always',
]);

const SIDES = ['output_contracts', 'input_contracts'] as const;

/**
 * Checks that contracts have schemas, that nodes name contracts there are, and that whoever needs one depends on all
 * nodes that promise it: else it could start before that is known.
 */
export function checkContracts(value: unknown, draft: Draft, findings: Findings): void {
  const declared = declaredContracts(value, findings);
  const named = draft.nodes.filter(({ fields }) => SIDES.some((side) => idsOf(fields[side]).length > 0));
  for (const node of named) for (const side of SIDES) checkNames(node, side, declared, findings);
  const ancestry = new Ancestry(draft);
  for (const node of named) checkInputs(node, declared, ancestry, findings);
  for (const [id, { index, providers, needed }] of declared) {
    if (providers.length > 0 || needed) continue;
    const message = `no node has contract ${JSON.stringify(id)}: it has no effect`;
    findings.warning('UNUSED_CONTRACT', ['contracts', index], message);
  }
}

function declaredContracts(value: unknown, findings: Findings): Map<string, Declared> {
  const declared = new Map<string, Declared>();
  const contracts = isRecord(value) && Array.isArray(value.contracts) ? (value.contracts as unknown[]) : [];
  contracts.forEach((contract, index) => {
    if (!isRecord(contract) || typeof contract.id !== 'string') return;
    const { id, stage = 'accepted', schema } = contract;
    if (declared.has(id)) {
      const message = `contract ${JSON.stringify(id)} is there twice, first as contracts[${declared.get(id)!.index}]`;
      return findings.error('DUPLICATE_ID', ['contracts', index, 'id'], message);
    }
    declared.set(id, { index, stage: stage as ContractStage, providers: [], needed: false });
    if (!isRecord(schema)) return;
    try {
      compileJsonSchema(schema);
    } catch (error) {
      if (!isMaestroError(error)) throw error;
      const message = `contract ${JSON.stringify(id)}: its schema ${error.message}`;
      findings.error('BAD_SCHEMA', ['contracts', index, 'schema'], message);
    }
  });
  return declared;
}

function checkNames(
  node: DraftNode,
  side: (typeof SIDES)[number],
  declared: ReadonlyMap<string, Declared>,
  findings: Findings,
): void {
  const ids = idsOf(node.fields[side]);
  const path = ['nodes', node.index, side];
  if (ids.length > 0 && isGroup(node)) {
    const message = `node ${name(node)} is a parallel_group, which executes nothing: give "${side}" to its members`;
    return findings.error('BAD_CONTRACT', path, message, node.id);
  }
  ids.forEach((id, index) => {
    const contract = declared.get(id);
    const at = [...path, index];
    if (contract === undefined) {
      const message = `node ${name(node)} has contract ${JSON.stringify(id)}, which "contracts" does not declare${didYouMean(id, declared.keys())}`;
      return findings.error('UNKNOWN_CONTRACT', at, message, node.id);
    }
    if (side === 'input_contracts') contract.needed = true;
    else if (!contract.providers.includes(node.id)) contract.providers.push(node.id);
    if (binds(contract.stage)) return;
    if (side === 'input_contracts') {
      const message = `node ${name(node)} needs contract ${JSON.stringify(id)}, which is ${contract.stage}: it is never verified, so the node would never run`;
      findings.error('BAD_CONTRACT', at, message, node.id);
    } else {
      const message = `contract ${JSON.stringify(id)} is ${contract.stage}: the output of node ${name(node)} is not held against it`;
      findings.warning('CONTRACT_STAGE', at, message, node.id);
    }
  });
}

function checkInputs(
  node: DraftNode,
  declared: ReadonlyMap<string, Declared>,
  ancestry: Ancestry,
  findings: Findings,
): void {
  idsOf(node.fields.input_contracts).forEach((id, index) => {
    const contract = declared.get(id);
    if (contract === undefined) return;
    const path = ['nodes', node.index, 'input_contracts', index];
    const needs = `node ${name(node)} needs contract ${JSON.stringify(id)}`;
    if (contract.providers.length === 0)
      return findings.error('BAD_CONTRACT', path, `${needs}, which no node promises`, node.id);
    if (EARLY_RULES.has(node.fields.trigger_rule)) {
      const message = `${needs}, but its trigger_rule may let it run before that is verified: choose one that waits for all dependencies`;
      return findings.error('BAD_CONTRACT', path, message, node.id);
    }
    const [missing] = ancestry.missing(node.id, contract.providers);
    if (missing === undefined) return;
    const message = `${needs}, but does not depend on ${JSON.stringify(missing)}, which promises it: add that to its dependencies`;
    findings.error('BAD_CONTRACT', path, message, node.id);
  });
}

function idsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((id): id is string => typeof id === 'string') : [];
}

function name(node: DraftNode): string {
  return JSON.stringify(node.id);
}
