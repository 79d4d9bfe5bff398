import { binds, Contracts, type Contract } from '../policy/contracts.js';
import type { ContractSpec, WorkflowSpec } from './types.js';

/** A contract with its defaults. */
export function contractOf({ id, version, severity, stage, schema }: ContractSpec): Contract {
  return { id, version, severity: severity ?? 'blocking', stage: stage ?? 'accepted', schema };
}

/** The contracts of a checked workflow and the nodes that they bind; null when there are none. */
export function contractsOf({ contracts = [], nodes }: WorkflowSpec): Contracts | null {
  if (contracts.length === 0) return null;
  const all = contracts.map(contractOf);
  const binding = new Map(all.filter(({ stage }) => binds(stage)).map((each) => [each.id, each]));
  const named = (ids: readonly string[] = []): Contract[] =>
    [...new Set(ids)].flatMap((id) => binding.get(id) ?? []);
  const bound = nodes.flatMap(({ input_contracts, output_contracts }, node) => {
    const [inputs, outputs] = [named(input_contracts), named(output_contracts)];
    return inputs.length + outputs.length === 0 ? [] : [[node, { inputs, outputs }] as const];
  });
  return new Contracts(all, new Map(bound));
}
