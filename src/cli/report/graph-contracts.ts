import type { WorkflowSpec } from '../../runtime/index.js';
import { oneLine } from '../format/text.js';

interface ContractParties {
  readonly severity: 'blocking' | 'warning';
  readonly promised_by: readonly string[];
  readonly needed_by: readonly string[];
}

/** The contracts of a workflow with the nodes that promise and need them, by id. */
export function contractsDocument(spec: WorkflowSpec): { contracts?: Record<string, ContractParties> } {
  if (spec.contracts === undefined) return {};
  const parties = spec.contracts.map(({ id, severity = 'blocking' }) => {
    const naming = (side: 'output_contracts' | 'input_contracts'): string[] =>
      spec.nodes.flatMap((node) => (node[side]?.includes(id) === true ? [node.id] : []));
    const promised_by = naming('output_contracts');
    return [id, { severity, promised_by, needed_by: naming('input_contracts') }] as const;
  });
  return { contracts: Object.fromEntries(parties) };
}

/** A line for each contract. */
export function contractLines(spec: WorkflowSpec): string[] {
  return Object.entries(contractsDocument(spec).contracts ?? {}).map(
    ([id, { severity, promised_by, needed_by }]) => {
      const names = (ids: readonly string[]): string => ids.map(oneLine).join(', ') || 'nobody';
      return `  contract ${oneLine(id)} (${severity}): promised by ${names(promised_by)}, needed by ${names(needed_by)}`;
    },
  );
}
