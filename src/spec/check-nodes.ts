import { statSync } from 'node:fs';
import { isMaestroError } from '../base/errors.js';
import { isValidNodeId } from '../base/ids.js';
import type { StepFunction } from '../base/step.js';
import type { Draft, DraftNode } from './draft.js';
import type { Findings } from './findings.js';
import { didYouMean } from './suggest.js';
import { resolveUses } from './uses.js';

export interface ExecutorOptions {
  /** Folder of step modules; without it their existence is not checked. */
  readonly baseDir?: string;
  /** Inline functions by node id. */
  readonly functions?: ReadonlyMap<string, StepFunction>;
}

/** Checks that each node executes exactly one thing, and that it is there. */
export function checkExecutors(draft: Draft, options: ExecutorOptions, findings: Findings): void {
  const functions = options.functions ?? new Map<string, StepFunction>();
  const exists = memoise(isFile);
  for (const node of draft.nodes) {
    const kinds = ['uses', 'run'].filter((kind) => typeof node.fields[kind] === 'string');
    if (functions.has(node.id)) kinds.push('a function');
    const name = JSON.stringify(node.id);
    if (kinds.length === 0) {
      const message = `node ${name} has no executor: give it "uses", "run" or, in the builder, "execute"`;
      findings.error('NO_EXECUTOR', ['nodes', node.index], message, node.id);
    } else if (kinds.length > 1) {
      const message = `node ${name} has ${kinds.join(' and ')}: it can execute only one of them`;
      findings.error('TWO_EXECUTORS', ['nodes', node.index, kinds[1]], message, node.id);
    }
    if (typeof node.fields.uses === 'string')
      checkUses(node, node.fields.uses, options.baseDir, exists, findings);
    if (node.fields.env !== undefined && typeof node.fields.run !== 'string') {
      const message = `node ${name} has "env" but no "run": it would have no effect`;
      findings.warning('UNUSED_ENV', ['nodes', node.index, 'env'], message, node.id);
    }
  }
  for (const id of functions.keys()) {
    if (draft.byId.has(id)) continue;
    const message = `there is a function for ${JSON.stringify(id)}, which is not a node${didYouMean(id, draft.byId.keys())}`;
    findings.error('UNKNOWN_FUNCTION', ['nodes'], message);
  }
}

function checkUses(
  node: DraftNode,
  uses: string,
  baseDir: string | undefined,
  exists: (file: string) => boolean,
  findings: Findings,
): void {
  const path = ['nodes', node.index, 'uses'];
  try {
    const ref = resolveUses(uses, baseDir ?? '/');
    if (ref.file === undefined || baseDir === undefined || exists(ref.file)) return;
    const message = `node ${JSON.stringify(node.id)} uses ${JSON.stringify(uses)}, but there is no file ${ref.file}`;
    findings.error('STEP_NOT_FOUND', path, message, node.id);
  } catch (error) {
    if (!isMaestroError(error, 'SPEC_INVALID')) throw error;
    findings.error('BAD_USES', path, `node ${JSON.stringify(node.id)}: ${error.message}`, node.id);
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** Thousands of nodes often share one module. */
function memoise(fn: (key: string) => boolean): (key: string) => boolean {
  const known = new Map<string, boolean>();
  return (key) => {
    const value = known.get(key) ?? fn(key);
    known.set(key, value);
    return value;
  };
}

/** Ids that the schema cannot express as strictly as the runtime needs them. */
export function checkNodeIds(draft: Draft, findings: Findings): void {
  for (const node of draft.nodes) {
    if (isValidNodeId(node.id)) continue;
    const message = `nodes[${node.index}].id must have 1 to 255 characters, none of them a control character, and not be a reserved name`;
    findings.error('BAD_NODE_ID', ['nodes', node.index, 'id'], message, node.id);
  }
}

/** What the format has but this version does not do yet is refused: it must not be ignored silently. */
export function checkSupported(draft: Draft, findings: Findings): void {
  for (const node of draft.nodes) {
    const refuse = (key: string, what: string): void =>
      findings.error(
        'UNSUPPORTED',
        ['nodes', node.index, key],
        `node ${JSON.stringify(node.id)} has ${what}, which this version does not support yet`,
        node.id,
      );
    const { type, input_contracts, output_contracts } = node.fields;
    if (type === 'parallel_group' || type === 'human_review') refuse('type', `the type ${type}`);
    if (Array.isArray(input_contracts) && input_contracts.length > 0)
      refuse('input_contracts', 'input contracts');
    if (Array.isArray(output_contracts) && output_contracts.length > 0)
      refuse('output_contracts', 'output contracts');
    if (type === 'conditional' && node.fields.condition === undefined) {
      const message = `node ${JSON.stringify(node.id)} has the type conditional but no condition: it always runs`;
      findings.warning('NO_CONDITION', ['nodes', node.index], message, node.id);
    }
  }
  for (const edge of draft.edges) {
    if (edge.condition === undefined) continue;
    const message = `edges[${edge.index}] has a condition, which this version does not support yet: put it on the node`;
    findings.error('UNSUPPORTED', ['edges', edge.index, 'condition'], message);
  }
}
