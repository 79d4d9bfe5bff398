import type { ContractDocument } from '../../runtime/index.js';
import { oneLine } from '../format/text.js';

/** What became of a contract at a node, from the document that says it. */
export function contractText(verdict: Record<string, unknown>): string {
  const { contract, side, status, problems } = verdict;
  const named = `contract ${oneLine(String(contract))}`;
  if (side === 'input') return `needs ${named}, which is ${String(status)}`;
  const [first] = Array.isArray(problems) ? (problems as { message?: unknown }[]) : [];
  return `${named} ${String(status)}${first === undefined ? '' : `: ${oneLine(String(first.message))}`}`;
}

/** The contracts of an execution in one line: `api verified, prices breached (by list)`. */
export function contractsText(contracts: readonly ContractDocument[]): string {
  return contracts
    .map(({ contract, status, promised_by: by }) => {
      const who = status === 'breached' ? ` (by ${by.map(oneLine).join(', ')})` : '';
      return `${oneLine(contract)} ${status.replaceAll('_', ' ')}${who}`;
    })
    .join(', ');
}

/** The first contract of a node that was not simply verified. */
export function unmetContract(verdicts: unknown): string | undefined {
  if (!Array.isArray(verdicts)) return undefined;
  const unmet = (verdicts as Record<string, unknown>[]).find(({ status }) => status !== 'verified');
  return unmet === undefined ? undefined : contractText(unmet);
}
