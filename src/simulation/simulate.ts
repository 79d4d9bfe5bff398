import { MaestroError } from '../base/errors.js';
import { EXECUTION_MODES, type ExecutionMode } from '../base/model.js';
import { contextText } from '../runtime/context.js';
import type { Workflow } from '../spec/index.js';
import { answerSchemas, fittingAnswer } from './answer-values.js';
import { FAULTS, type FaultKind } from './fault-plan.js';
import { keyedRandom } from './keyed-random.js';
import { withOpaqueChildren } from './opaque.js';
import { declaredOutcomes, type GivenOutcomes, type Outcome } from './outcomes.js';
import type { OutcomeSpec } from './outcome-schema.js';
import { readOutcomesFile } from './outcomes-file.js';
import type { SimulationReport } from './report.js';
import { builtinSeconds } from './seed-fates.js';
import { tellStory } from './story.js';
import { Tally } from './tally.js';
import { playTrial, type TrialOptions } from './trial.js';
import type { SchemaValues } from './value-shape.js';
import { WorkflowModel } from './workflow-model.js';

/** Options of simulateWorkflow. Everything has a default. */
export interface SimulationOptions {
  /** How many executions, each from a seed of its own. Default 100. */
  seeds?: number;
  /** The first of them. Default 1. */
  firstSeed?: number;
  /** What is made to go wrong. Default: nothing. */
  faults?: readonly FaultKind[];
  /** Attempts of each kind of step at once, on any machine. Default 4. */
  workers?: number;
  /** Default dag_parallel. */
  mode?: ExecutionMode;
  /** false: every node has one attempt. Default true. */
  retries?: boolean;
  /** Laid over the workflow's global context. */
  context?: Record<string, unknown>;
  /** How nodes come out, by node id: laid over what their `metadata.simulate` says. */
  outcomes?: Readonly<Record<string, OutcomeSpec>>;
  /** A YAML or JSON file that says the same, instead. */
  outcomesFile?: string;
  /** When it begins. Default: an hour before the first `wait_until`, else 2030-01-01. */
  startAt?: Date;
  /** Simulated seconds after which an execution is said not to end. Default 365 days. */
  limitSeconds?: number;
  /** Ends it: the report is about the seeds played so far. */
  signal?: AbortSignal;
  /** Called after each seed. */
  onProgress?: (progress: SimulationProgress) => void;
}

export interface SimulationProgress {
  readonly run: number;
  readonly wanted: number;
  /** Different surprises so far. */
  readonly surprises: number;
}

const YEAR_SECONDS = 365 * 86_400;
const HOUR_MS = 3_600_000;
const MOST_SEED = 2 ** 32;

/**
 * Runs a workflow again and again in a simulated world: the real engine and runtime, but a clock, workers, a store and
 * people that are simulated. Nothing of the workflow's own is executed. The same input gives the same report.
 * @throws CONFIG_CONFLICT, CONTEXT_INVALID, OUTCOMES_INVALID
 */
export async function simulateWorkflow(
  given: Workflow,
  options: SimulationOptions = {},
): Promise<SimulationReport> {
  const workflow = withOpaqueChildren(given);
  const settings = settingsOf(workflow, options);
  const { first, wanted, trial } = settings;
  const outcomes = declaredOutcomes(workflow, await givenOutcomes(options));
  const schemaValues = await loadSchemaValues();
  const { context, retries, mode, workers } = trial;
  const model = new WorkflowModel({ workflow, outcomes, context, retries, schemaValues });
  checkAnswers(model, outcomes);
  const tally = new Tally(model);
  let story: SimulationReport['story'];
  for (let seed = first; seed < first + wanted; seed++) {
    const played = await playTrial(model, seed, trial);
    if (played === null) break;
    tally.add(played);
    if (wanted === 1) story = tellStory(played, trial.startAtMs);
    options.onProgress?.({ run: tally.run, wanted, surprises: tally.surprising });
  }
  const { id, name } = workflow.spec.workflow;
  return {
    workflow_id: id,
    workflow_name: name,
    nodes: workflow.spec.nodes.length,
    seeds: { first, wanted, run: tally.run },
    faults: FAULTS.filter((kind) => trial.faults.has(kind)),
    ...{ workers, mode, retries, generated: generatedParts(model) },
    ...tally.findings(),
    ...(story !== undefined && { story }),
  };
}

interface Settings {
  readonly first: number;
  readonly wanted: number;
  readonly trial: TrialOptions;
}

function settingsOf(workflow: Workflow, options: SimulationOptions): Settings {
  const {
    seeds = 100,
    firstSeed = 1,
    faults = [],
    workers = 4,
    mode = 'dag_parallel',
    retries = true,
  } = options;
  const { context = {}, startAt, limitSeconds = YEAR_SECONDS } = options;
  demand(whole(seeds, 1, MOST_SEED), 'seeds', seeds, 'a whole number, 1 or more');
  demand(whole(firstSeed, 0, MOST_SEED), 'firstSeed', firstSeed, 'a whole number, 0 or more');
  demand(whole(workers, 1, 1e6), 'workers', workers, 'a whole number, 1 or more');
  demand(EXECUTION_MODES.includes(mode), 'mode', mode, `one of ${EXECUTION_MODES.join(', ')}`);
  demand(limitSeconds > 0, 'limitSeconds', limitSeconds, 'a number of seconds above 0');
  for (const kind of faults) demand(FAULTS.includes(kind), 'faults', kind, `some of ${FAULTS.join(', ')}`);
  const startAtMs = startAt?.getTime() ?? startOf(workflow);
  demand(startAtMs > 0, 'startAt', startAt, 'a moment after 1970');
  contextText(workflow, context);
  const limitMs = limitSeconds * 1000;
  const { signal } = options;
  const trial = { faults: new Set(faults), workers, mode, retries, context, startAtMs, limitMs, signal };
  return { first: firstSeed, wanted: seeds, trial };
}

function whole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function demand(holds: boolean, name: string, value: unknown, expected: string): void {
  if (holds) return;
  const text = `option ${name} is ${JSON.stringify(value) ?? 'missing'}; it must be ${expected}`;
  throw new MaestroError('CONFIG_CONFLICT', text);
}

/** What waits for a moment is to wait. */
function startOf({ spec }: Workflow): number {
  const moments = spec.nodes.flatMap(({ wait_until }) =>
    wait_until === undefined ? [] : [Date.parse(wait_until.time)],
  );
  const first = moments.reduce((a, b) => Math.min(a, b), Infinity);
  return first === Infinity ? Date.UTC(2030, 0, 1) : Math.max(1, first - HOUR_MS);
}

async function givenOutcomes({
  outcomes,
  outcomesFile,
}: SimulationOptions): Promise<GivenOutcomes | undefined> {
  demand(
    outcomes === undefined || outcomesFile === undefined,
    'outcomes',
    outcomes,
    'missing when there is a file',
  );
  if (outcomesFile !== undefined) return readOutcomesFile(outcomesFile);
  return outcomes && { outcomes };
}

/** Loaded when first needed: nothing else generates values. */
async function loadSchemaValues(): Promise<SchemaValues> {
  const { generateSync } = await import('json-schema-faker');
  return (schema, random) =>
    generateSync(schema as Parameters<typeof generateSync>[0], { seed: Math.floor(random() * MOST_SEED) });
}

/** An answer that cannot be made up must be declared. @throws OUTCOMES_INVALID */
function checkAnswers({ nodes, schemaValues }: WorkflowModel, outcomes: ReadonlyMap<string, Outcome>): void {
  for (const node of nodes) {
    const schemas = answerSchemas(nodes, node);
    if (schemas.length === 0 || outcomes.get(node.id)?.outputs !== undefined) continue;
    if (fittingAnswer(schemas, undefined, keyedRandom(0), schemaValues) !== undefined) continue;
    const text = `no value was found that fits the schema of node ${JSON.stringify(node.id)}`;
    const next = 'Declare one as `output` in its metadata.simulate, or in a file given with --outcomes.';
    throw new MaestroError('OUTCOMES_INVALID', text, { next });
  }
}

function generatedParts(model: WorkflowModel): SimulationReport['generated'] {
  const indexes = model.nodes.map((_, index) => index).filter((node) => !model.isGroup(node));
  const durations = indexes.filter(
    (node) =>
      model.waitOf(node)?.kind !== 'time' &&
      model.outcomeOf(node).seconds === undefined &&
      builtinSeconds(model, node) === undefined,
  );
  const outputs = indexes.filter(
    (node) => model.shapeOf(node) !== undefined && model.outcomeOf(node).outputs === undefined,
  );
  return { durations: durations.length, outputs: outputs.length };
}
