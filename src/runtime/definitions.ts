import { isMaestroError, MaestroError } from '../base/errors.js';
import {
  compareStructure,
  hasFunctions,
  isWaitNode,
  structureMismatch,
  type Workflow,
  type WorkflowSpec,
} from '../spec/index.js';
import { hasStep } from '../pool/index.js';
import { Definition } from '../supervisor/definition.js';
import type { ExecutionRecord } from '../store/types.js';

const MAX_CACHED = 256;

/** By what a stored definition is found. */
type StoredFor = Pick<ExecutionRecord, 'executionId' | 'workflowId' | 'definitionHash' | 'baseDir'>;

export interface ForEnding {
  readonly definition: Definition;
  /** Why it cannot run here; null: it can. */
  readonly refusal: MaestroError | null;
}

/**
 * Compiled workflows, so that many executions of one share it. Those from files are known by hash and folder; those
 * with functions by identity, because functions have no hash.
 */
export class Definitions {
  private readonly byHash = new Map<string, Definition>();
  private readonly byWorkflow = new WeakMap<Workflow, Definition>();
  private readonly registered = new Map<string, Workflow>();
  /** Workflows with functions that were started here, by hash: those who resume them need not give them again. */
  private readonly started = new Map<string, Workflow>();

  constructor(workflows: readonly Workflow[] = []) {
    for (const workflow of workflows) this.registered.set(workflow.spec.workflow.id, workflow);
    for (const workflow of workflows) this.registerChildren(workflow);
  }

  /** What a workflow runs is known with it, unless another one was given under its id. */
  private registerChildren({ subworkflows }: Workflow): void {
    for (const child of subworkflows?.values() ?? []) {
      const { id } = child.spec.workflow;
      if (!this.registered.has(id)) this.registered.set(id, child);
      this.registerChildren(child);
    }
  }

  of(workflow: Workflow): Definition {
    let definition = this.byWorkflow.get(workflow);
    if (definition !== undefined) return definition;
    definition = hasFunctions(workflow) ? new Definition(workflow) : this.cached(workflow);
    this.byWorkflow.set(workflow, definition);
    if (workflow.functions.size > 0) keep(this.started, workflow.definitionHash, workflow);
    return definition;
  }

  /**
   * The definition a stored execution runs with: its stored spec, with the functions of the workflow given (or
   * registered under its id).
   * @throws STRUCTURE_MISMATCH, EXECUTOR_MISSING
   */
  forStored(record: StoredFor, spec: WorkflowSpec, given?: Workflow): Definition {
    const source = given ?? this.sourceOf(record);
    // The hash covers the structure: nothing to compare for the many executions of one workflow.
    if (source?.definitionHash === record.definitionHash) return this.of(source);
    if (source !== undefined) {
      const differences = compareStructure(spec, source.spec);
      if (differences !== null) throw structureMismatch(record.workflowId, differences);
    }
    const functions = source?.functions ?? new Map<string, never>();
    const missing = missingFunctions(spec, functions, source?.subworkflows);
    if (missing.length > 0) throw executorMissing(record, missing);
    const { baseDir, definitionHash } = record;
    const { subworkflows } = source ?? {};
    const workflow: Workflow = { spec, baseDir, definitionHash, functions, subworkflows };
    return hasFunctions(workflow) ? new Definition(workflow) : this.cached(workflow);
  }

  /** One that is the same is better than one that only has its id: an execution may have been migrated. */
  private sourceOf({ workflowId, definitionHash }: StoredFor): Workflow | undefined {
    const registered = this.registered.get(workflowId);
    if (registered?.definitionHash === definitionHash) return registered;
    return this.started.get(definitionHash) ?? registered;
  }

  /** For an execution that is brought here to be paused or ended, whether it can run here or not. */
  forEnding(record: ExecutionRecord, spec: WorkflowSpec): ForEnding {
    try {
      return { definition: this.forStored(record, spec), refusal: null };
    } catch (error) {
      if (!isMaestroError(error, 'EXECUTOR_MISSING') && !isMaestroError(error, 'STRUCTURE_MISMATCH'))
        throw error;
      return { definition: this.plain(record, spec), refusal: error };
    }
  }

  /** For looking at a stored execution: its functions need not be known. */
  plain({ baseDir, definitionHash }: ExecutionRecord, spec: WorkflowSpec): Definition {
    return this.cached({ spec, baseDir, definitionHash, functions: new Map() });
  }

  private cached(workflow: Workflow): Definition {
    const key = `${workflow.definitionHash}\n${workflow.baseDir}`;
    let definition = this.byHash.get(key);
    if (definition === undefined) {
      definition = new Definition(workflow);
      keep(this.byHash, key, definition);
    }
    return definition;
  }
}

/** Ids of nodes whose functions are not known; those of nodes in subworkflows as paths. */
function missingFunctions(
  spec: WorkflowSpec,
  functions: Workflow['functions'],
  children: Workflow['subworkflows'],
): string[] {
  return spec.nodes.flatMap((node) => {
    const { id, members, definition } = node;
    if (definition !== undefined) {
      const [child, inner] = [children?.get(id), spec.subworkflows?.[definition]];
      if (inner === undefined) return [];
      const within = missingFunctions(inner, child?.functions ?? new Map(), child?.subworkflows);
      return within.map((each) => `${id}/${each}`);
    }
    const isKnown = hasStep(node, functions) || members !== undefined || isWaitNode(node);
    return isKnown ? [] : [id];
  });
}

/** Adds to a cache of bounded size: the oldest entry goes. */
function keep<T>(cache: Map<string, T>, key: string, value: T): void {
  if (cache.size >= MAX_CACHED) cache.delete(cache.keys().next().value!);
  cache.set(key, value);
}

function executorMissing(record: StoredFor, ids: readonly string[]): MaestroError {
  const shown = ids.slice(0, 10).join(', ') + (ids.length > 10 ? `, and ${ids.length - 10} more` : '');
  return new MaestroError(
    'EXECUTOR_MISSING',
    `execution ${record.executionId} of workflow "${record.workflowId}" has nodes whose functions are not known here: ${shown}`,
    { details: { nodes: ids } },
  );
}
