import { isMaestroError, type Problem } from '../base/errors.js';
import { compileValue } from '../policy/value-expression.js';
import { didYouMean } from './suggest.js';
import { isRecord, type Draft, type DraftNode } from './draft.js';
import type { Findings } from './findings.js';
import { SUBWORKFLOW_KEYS } from './subworkflows.js';
import type { Workflow, WorkflowSpec } from './types.js';
import { WAIT_KEYS } from './waits.js';

/** Reads the file of a subworkflow, as it is named. @throws MaestroError with what is wrong with it */
export type LoadSubworkflow = (path: string) => { workflow: Workflow; warnings: readonly Problem[] };

/** What subworkflow nodes run. */
export interface Subworkflows {
  /** The hash of its definition, by index of the node. */
  readonly definitions: ReadonlyMap<number, string>;
  readonly specs: Readonly<Record<string, WorkflowSpec>>;
  /** Of the files that were read. */
  readonly problems: readonly Problem[];
}

/** What a node that runs an execution of its own cannot have. */
const OF_STEPS = [
  ...['uses', 'run', 'env', 'isolation', 'resources', 'timeout_seconds', 'heartbeat_timeout_seconds'],
  ...WAIT_KEYS,
];

/** Checks subworkflow nodes, and reads what they run. Without `load`, and without a definition, that is not known. */
export function checkSubworkflows(
  draft: Draft,
  known: unknown,
  { load, mustKnow }: { load?: LoadSubworkflow; mustKnow: boolean },
  findings: Findings,
): Subworkflows {
  const definitions = new Map<number, string>();
  const specs = { ...(isRecord(known) ? known : {}) } as Record<string, WorkflowSpec>;
  const problems: Problem[] = [];
  const loader = new Loader(load, problems);
  for (const node of draft.nodes) {
    if (!checkFields(node, findings)) continue;
    const { workflow, definition } = node.fields;
    if (typeof definition === 'string') {
      if (Object.hasOwn(specs, definition)) definitions.set(node.index, definition);
      else report(node, 'definition', 'has a "definition" that is not among "subworkflows"', findings);
    } else if (typeof workflow === 'string') {
      const child = load === undefined ? undefined : loader.read(node, workflow, findings);
      if (child !== undefined) {
        definitions.set(node.index, child.definitionHash);
        specs[child.definitionHash] = child.spec;
      } else if (load === undefined && mustKnow)
        report(
          node,
          'workflow',
          'names a file, which is read only along with a file: load that, or give the Workflow',
          findings,
        );
    }
  }
  for (const node of draft.nodes) {
    const hash = definitions.get(node.index);
    if (hash !== undefined) checkOutput(node, specs[hash], findings);
  }
  const used = new Set(definitions.values());
  for (const hash of Object.keys(specs)) if (!used.has(hash)) delete specs[hash];
  return { definitions, specs, problems };
}

export function isSubworkflow({ fields }: DraftNode): boolean {
  return fields.type === 'subworkflow';
}

/** @returns whether it is a subworkflow */
function checkFields(node: DraftNode, findings: Findings): boolean {
  if (!isSubworkflow(node)) {
    const key = SUBWORKFLOW_KEYS.find((each) => node.fields[each] !== undefined);
    if (key !== undefined) report(node, key, `has "${key}", but its type is not subworkflow`, findings);
    return false;
  }
  for (const key of OF_STEPS)
    if (node.fields[key] !== undefined)
      report(
        node,
        key,
        `is a subworkflow, which executes nothing itself: "${key}" belongs to the nodes of the workflow that it runs`,
        findings,
      );
  if (node.fields.workflow === undefined && node.fields.definition === undefined)
    report(node, undefined, 'is a subworkflow without "workflow"', findings);
  return true;
}

/** What gives the output reads nodes of the child. */
function checkOutput(node: DraftNode, child: WorkflowSpec, findings: Findings): void {
  const { output } = node.fields;
  if (typeof output !== 'string' || output === '') return;
  try {
    const { references } = compileValue(output);
    const ids = new Set(child.nodes.map(({ id }) => id));
    const unknown = references === 'all' ? undefined : references.find((id) => !ids.has(id));
    if (unknown === undefined) return;
    const guess = didYouMean(unknown, ids);
    report(
      node,
      'output',
      `reads the output of ${JSON.stringify(unknown)}, which the workflow "${child.workflow.id}" does not have${guess}`,
      findings,
    );
  } catch (error) {
    if (!isMaestroError(error)) throw error;
    report(node, 'output', `has a wrong "output": ${error.message}`, findings);
  }
}

/** Many nodes may run one file. */
class Loader {
  private readonly known = new Map<string, Workflow | undefined>();

  constructor(
    private readonly load: LoadSubworkflow | undefined,
    private readonly problems: Problem[],
  ) {}

  read(node: DraftNode, path: string, findings: Findings): Workflow | undefined {
    if (!this.known.has(path)) this.known.set(path, this.tryLoad(node, path, findings));
    return this.known.get(path);
  }

  private tryLoad(node: DraftNode, path: string, findings: Findings): Workflow | undefined {
    try {
      const { workflow, warnings } = this.load!(path);
      this.problems.push(...warnings);
      return workflow;
    } catch (error) {
      if (!isMaestroError(error)) throw error;
      this.problems.push(...error.problems);
      report(node, 'workflow', `runs a workflow that is not usable: ${error.message}`, findings);
      return undefined;
    }
  }
}

function report(node: DraftNode, key: string | undefined, what: string, findings: Findings): void {
  const path = ['nodes', node.index, ...(key === undefined ? [] : [key])];
  findings.error('BAD_SUBWORKFLOW', path, `node ${JSON.stringify(node.id)} ${what}`, node.id);
}
