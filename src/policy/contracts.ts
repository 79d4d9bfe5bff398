import { toErrorDocument, MaestroError, type ErrorDocument } from '../base/errors.js';
import type { ContractProblem, ContractStatus, ContractVerdict } from '../base/model.js';
import { compileViolations, type Violation } from './json-schema.js';

export type ContractSeverity = ContractVerdict['severity'];

/** How far the parties of a contract have come. */
export const CONTRACT_STAGES = [
  'draft',
  'proposed',
  'negotiating',
  'accepted',
  'rejected',
  'amended',
] as const satisfies readonly ContractStatus[];
export type ContractStage = (typeof CONTRACT_STAGES)[number];

/** A contract as a workflow declares it. */
export interface Contract {
  readonly id: string;
  readonly version?: string;
  readonly severity: ContractSeverity;
  readonly stage: ContractStage;
  readonly schema: object;
}

/** Only what the parties agreed on is checked. */
export function binds(stage: ContractStage): boolean {
  return stage === 'accepted' || stage === 'amended';
}

/** Problems and characters of each value that are kept as evidence. */
const MAX_EVIDENCE = 20;
const MAX_VALUE_CHARS = 100;

interface NodeContracts {
  readonly inputs: readonly Contract[];
  readonly outputs: readonly Contract[];
}

const NONE: readonly Contract[] = [];

/** The contracts of one workflow and the nodes they bind. A schema is compiled once, when an output is first held against it. */
export class Contracts {
  private readonly checks = new Map<string, (value: unknown) => Violation[]>();
  private readonly providers = new Map<string, number[]>();

  /** @param nodes only those that have contracts, by dense index */
  constructor(
    readonly all: readonly Contract[],
    private readonly nodes: ReadonlyMap<number, NodeContracts>,
  ) {
    for (const { id } of all) this.providers.set(id, []);
    for (const [node, { outputs }] of nodes) for (const { id } of outputs) this.providers.get(id)?.push(node);
  }

  /** The contracts that must be verified before a node runs. */
  neededBy(node: number): readonly Contract[] {
    return this.nodes.get(node)?.inputs ?? NONE;
  }

  /** The contracts that a node's output must fit. */
  promisedBy(node: number): readonly Contract[] {
    return this.nodes.get(node)?.outputs ?? NONE;
  }

  /** The nodes whose outputs must fit a contract. */
  providersOf(contract: string): readonly number[] {
    return this.providers.get(contract) ?? [];
  }

  /** @param output JSON text @returns undefined when the node promises nothing: then nothing is parsed either */
  verify(node: number, output: string): readonly ContractVerdict[] | undefined {
    const outputs = this.promisedBy(node);
    if (outputs.length === 0) return undefined;
    const value: unknown = JSON.parse(output);
    return outputs.map((contract) => this.verdictOn(contract, value));
  }

  private verdictOn({ id, severity, schema }: Contract, value: unknown): ContractVerdict {
    let check = this.checks.get(id);
    if (check === undefined) this.checks.set(id, (check = compileViolations(schema)));
    const problems = check(value).slice(0, MAX_EVIDENCE).map(evidenceOf);
    const failed = severity === 'blocking' ? 'breached' : 'verified_with_warnings';
    return {
      contract: id,
      side: 'output',
      severity,
      status: problems.length === 0 ? 'verified' : failed,
      problems,
    };
  }
}

function evidenceOf({ path, message, value }: Violation): ContractProblem {
  const text = JSON.stringify(value) ?? 'undefined';
  return {
    path,
    message,
    value: text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS)}…` : text,
  };
}

/** The failure that breached contracts mean for a node; null when all that it promised stands. */
export function breachOf(verdicts: readonly ContractVerdict[], nodeId: string): ErrorDocument | null {
  const breached = verdicts.filter(({ status }) => status === 'breached');
  if (breached.length === 0) return null;
  const [{ contract, problems }] = breached;
  const [{ path, message, value }] = problems;
  const count = breached.reduce((sum, verdict) => sum + verdict.problems.length, 0) - 1;
  const more = count === 0 ? '' : ` (and ${count} more)`;
  const at = path === '' ? '' : ` at ${path}`;
  return failure(
    'CONTRACT_BREACHED',
    `node "${nodeId}" breached contract "${contract}"${at}: ${message}, but is ${value}${more}`,
    {
      contracts: breached.map(({ contract: id, problems: evidence }) => ({
        contract: id,
        problems: evidence,
      })),
    },
  );
}

/** The failure of a node that may not run without contracts that are not verified. */
export function unverified(verdicts: readonly ContractVerdict[], nodeId: string): ErrorDocument | null {
  const missing = verdicts.filter(({ severity }) => severity === 'blocking');
  if (missing.length === 0) return null;
  const named = missing.map(({ contract, status }) => `"${contract}" is ${status}`).join(', ');
  return failure(
    'CONTRACT_UNVERIFIED',
    `node "${nodeId}" does not run: its input contract ${named}, not verified`,
    { contracts: missing.map(({ contract, status }) => ({ contract, status })) },
  );
}

function failure(
  code: 'CONTRACT_BREACHED' | 'CONTRACT_UNVERIFIED',
  message: string,
  details: Record<string, unknown>,
): ErrorDocument {
  const { stack: _, ...error } = toErrorDocument(new MaestroError(code, message, { details }));
  return error;
}
