import { statSync } from 'node:fs';
import { isMaestroError } from '../base/errors.js';
import { isValidNodeId } from '../base/ids.js';
import type { StepFunction } from '../base/step.js';
import type { Draft, DraftNode } from './draft.js';
import { isGroup } from './check-groups.js';
import { isSubworkflow } from './check-subworkflows.js';
import { waitNameOf } from './check-waits.js';
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
  const problemOf = usesChecker(options.baseDir);
  for (const node of draft.nodes) {
    if (!isGroup(node) && !isSubworkflow(node)) checkExecutor(node, functions.has(node.id), findings);
    const wrong = typeof node.fields.uses === 'string' ? problemOf(node.fields.uses) : null;
    if (wrong === null) continue;
    const message = `node ${JSON.stringify(node.id)}: ${wrong.message}`;
    findings.error(wrong.code, ['nodes', node.index, 'uses'], message, node.id);
  }
  for (const id of functions.keys()) {
    if (draft.byId.has(id)) continue;
    const message = `there is a function for ${JSON.stringify(id)}, which is not a node${didYouMean(id, draft.byId.keys())}`;
    findings.error('UNKNOWN_FUNCTION', ['nodes'], message);
  }
}

function checkExecutor(node: DraftNode, hasFunction: boolean, findings: Findings): void {
  const uses = node.fields.uses !== undefined;
  const run = node.fields.run !== undefined;
  const wait = waitNameOf(node);
  const count = Number(uses) + Number(run) + Number(hasFunction) + Number(wait !== null);
  const path = ['nodes', node.index];
  if (count === 0) {
    const message = `node ${JSON.stringify(node.id)} has no executor: give it "uses", "run" or, in the builder, "execute"`;
    findings.error('NO_EXECUTOR', path, message, node.id);
  } else if (count > 1) {
    const kinds = [uses && '"uses"', run && '"run"', hasFunction && 'a function', wait]
      .filter(Boolean)
      .join(' and ');
    const rule = wait === null ? 'it can execute only one of them' : 'what waits executes nothing';
    const message = `node ${JSON.stringify(node.id)} has ${kinds}: ${rule}`;
    findings.error('TWO_EXECUTORS', [...path, run ? 'run' : 'uses'], message, node.id);
  }
  if (node.fields.env !== undefined && !run) {
    const message = `node ${JSON.stringify(node.id)} has "env" but no "run": it would have no effect`;
    findings.warning('UNUSED_ENV', [...path, 'env'], message, node.id);
  }
}

/** Says what is wrong with a `uses`, by code and text, or nothing. Thousands of nodes often share one. */
function usesChecker(baseDir: string | undefined): (uses: string) => UsesProblem | null {
  const known = new Map<string, UsesProblem | null>();
  return (uses) => {
    let problem = known.get(uses);
    if (problem === undefined) known.set(uses, (problem = checkUses(uses, baseDir)));
    return problem;
  };
}

interface UsesProblem {
  readonly code: 'BAD_USES' | 'STEP_NOT_FOUND';
  readonly message: string;
}

function checkUses(uses: string, baseDir: string | undefined): UsesProblem | null {
  try {
    const { file } = resolveUses(uses, baseDir ?? '/');
    if (file === undefined || baseDir === undefined || isFile(file)) return null;
    return { code: 'STEP_NOT_FOUND', message: `uses ${JSON.stringify(uses)}: there is no file ${file}` };
  } catch (error) {
    if (!isMaestroError(error, 'SPEC_INVALID')) throw error;
    return { code: 'BAD_USES', message: error.message };
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
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
  const deciding = new Set(draft.edges.flatMap((edge) => (edge.condition === undefined ? [] : edge.from)));
  for (const node of draft.nodes) {
    const { type, condition } = node.fields;
    const decides = condition !== undefined || deciding.has(node.id);
    if (node.fields.cache !== undefined && node.fields.repeat !== undefined) {
      const message = `node ${JSON.stringify(node.id)} has "cache" and "repeat": an iteration that is known would be no new one`;
      findings.error('BAD_CACHE', ['nodes', node.index, 'cache'], message, node.id);
    }
    if (type === 'conditional' && !decides) {
      const message = `node ${JSON.stringify(node.id)} has the type conditional but no condition: it always runs`;
      findings.warning('NO_CONDITION', ['nodes', node.index], message, node.id);
    }
  }
}
