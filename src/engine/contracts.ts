import type { ContractStatus, ContractVerdict } from '../base/model.js';
import type { Contract, Contracts } from '../policy/contracts.js';
import { LEAF, type NodeColumns } from './columns.js';

type Columns = Pick<NodeColumns, 'leaf' | 'contracts'>;

/**
 * Where a contract is: what became of it at the nodes that promise it. A promise that nobody will keep or break (its
 * node was skipped, cancelled, blocked, failed otherwise) does not count beside those that were kept.
 */
export function contractStatus(
  contracts: Contracts,
  { id, stage }: Contract,
  columns: Columns,
): ContractStatus {
  const { leaf } = columns;
  let open = 0;
  let delivered: ContractStatus | null = null;
  for (const node of contracts.providersOf(id)) {
    if (leaf[node] === LEAF.pending || leaf[node] === LEAF.ready) {
      open++;
      continue;
    }
    if (leaf[node] === LEAF.running || leaf[node] === LEAF['failed.retrying']) return 'in_progress';
    const verdict = verdictOf(columns, node, id);
    if (leaf[node] === LEAF['failed.exhausted'] && verdict?.status === 'breached') return 'breached';
    if (leaf[node] === LEAF.completed) delivered = worse(delivered, verdict?.status ?? 'fulfilled');
  }
  if (delivered === null) return stage;
  return open > 0 ? 'in_progress' : delivered;
}

/** What a node needs and is not verified: one verdict for each such contract. */
export function unmetInputs(contracts: Contracts, node: number, columns: Columns): ContractVerdict[] {
  return contracts.neededBy(node).flatMap((contract): ContractVerdict[] => {
    const status = contractStatus(contracts, contract, columns);
    if (status === 'verified' || status === 'verified_with_warnings') return [];
    return [{ contract: contract.id, side: 'input', severity: contract.severity, status, problems: [] }];
  });
}

function verdictOf({ contracts }: Columns, node: number, id: string): ContractVerdict | undefined {
  return contracts.get(node)?.find(({ contract, side }) => contract === id && side === 'output');
}

const BY_STRENGTH: readonly ContractStatus[] = ['fulfilled', 'verified_with_warnings', 'verified'];

function worse(one: ContractStatus | null, other: ContractStatus): ContractStatus {
  if (one === null) return other;
  return BY_STRENGTH.indexOf(one) < BY_STRENGTH.indexOf(other) ? one : other;
}
