import type { ContractStatus } from '../base/model.js';
import type { NodeColumns } from '../engine/columns.js';
import { contractStatus } from '../engine/contracts.js';
import { contractDocument } from '../observe/event-deriver.js';
import type { Definition } from '../supervisor/definition.js';

/** A contract of an execution: what was agreed, and where it is. */
export interface ContractDocument {
  contract: string;
  version?: string;
  severity: 'blocking' | 'warning';
  status: ContractStatus;
  /** Nodes that promise it. */
  promised_by: string[];
}

export function contractsDocument(
  { contracts, plan }: Definition,
  columns: NodeColumns,
): { contracts?: ContractDocument[] } {
  if (contracts === null) return {};
  const documents = contracts.all.map((contract): ContractDocument => {
    const { id, version, severity } = contract;
    return {
      contract: id,
      ...(version !== undefined && { version }),
      severity,
      status: contractStatus(contracts, contract, columns),
      promised_by: contracts.providersOf(id).map((node) => plan.ids[node]),
    };
  });
  return { contracts: documents };
}

/** The evidence of a node: what was found when its contracts were last checked. */
export function contractsOfNode({ contracts }: NodeColumns, node: number): { contracts?: unknown } {
  const verdicts = contracts.get(node);
  return verdicts === undefined ? {} : { contracts: verdicts.map(contractDocument) };
}
