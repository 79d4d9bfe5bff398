import { MaestroError, type ErrorDocument } from '../base/errors.js';
import { Findings, type Path, type SourceMap } from '../spec/findings.js';
import { type NodeSpec, type Workflow } from '../spec/index.js';
import { didYouMean } from '../spec/suggest.js';
import { simulatedWaitOf } from './opaque.js';
import { answerProblems, answerSchemas } from './answer-values.js';
import { outcomeProblems, type OutcomeSpec } from './outcome-schema.js';

/** What is declared of a node; what is undefined is generated. */
export interface Outcome {
  readonly seconds?: readonly [least: number, most: number];
  readonly failureRate?: number;
  readonly outputs?: readonly unknown[];
  readonly error?: ErrorDocument;
  readonly decisions?: readonly ('approve' | 'reject')[];
  readonly unansweredRate?: number;
}

/** Outcomes by node id, from wherever: an option, or a file with its places. */
export interface GivenOutcomes {
  readonly outcomes: unknown;
  readonly source?: SourceMap;
}

type Kind = 'step' | 'review' | 'signal' | 'time' | 'group';

/** The keys that mean something for each kind of node. */
const KEYS: Readonly<Record<Kind, ReadonlySet<keyof OutcomeSpec>>> = {
  step: new Set(['duration_seconds', 'failure_rate', 'output', 'outputs', 'error']),
  review: new Set(['duration_seconds', 'output', 'outputs', 'decision', 'decisions', 'unanswered_rate']),
  signal: new Set(['duration_seconds', 'output', 'outputs', 'unanswered_rate']),
  time: new Set(),
  group: new Set(),
};
const SAID: Readonly<Record<Kind, string>> = {
  step: 'a step',
  review: 'a review',
  signal: 'a wait for a signal',
  time: 'a wait that ends by itself: there is nothing to declare',
  group: 'a group: there is something to declare of its members only',
};

/**
 * What is declared of a workflow's nodes: in their `metadata.simulate`, and given besides, which wins key by key.
 * @throws OUTCOMES_INVALID with every problem
 */
export function declaredOutcomes({ spec }: Workflow, given?: GivenOutcomes): ReadonlyMap<string, Outcome> {
  const outcomes = new Map<string, Outcome>();
  const findings = new Findings();
  const take = (node: NodeSpec, value: unknown, path: Path): void => {
    const found = checkedOutcome(spec.nodes, node, value, (message) =>
      findings.error('OUTCOME', path, message, node.id),
    );
    if (found !== undefined) outcomes.set(node.id, { ...outcomes.get(node.id), ...found });
  };
  spec.nodes.forEach((node, index) => {
    const value = node.metadata?.simulate;
    if (value !== undefined) take(node, value, ['nodes', index, 'metadata', 'simulate']);
  });
  throwInvalid(findings, 'metadata.simulate');
  if (given === undefined) return outcomes;
  const byId = new Map(spec.nodes.map((node) => [node.id, node]));
  for (const [id, value] of entriesOf(given.outcomes, findings)) {
    const node = byId.get(id);
    if (node !== undefined) take(node, value, [id]);
    else
      findings.error('OUTCOME', [id], `there is no node ${JSON.stringify(id)}${didYouMean(id, byId.keys())}`);
  }
  throwInvalid(findings, given.source?.file ?? 'the outcomes', given.source);
  return outcomes;
}

function entriesOf(value: unknown, findings: Findings): [string, unknown][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value);
  findings.error(
    'OUTCOME',
    [],
    'outcomes are an object: the ids of nodes, and for each how its attempts come out',
  );
  return [];
}

function throwInvalid(findings: Findings, where: string, source?: SourceMap): void {
  const problems = findings.toProblems(source);
  if (problems.length === 0) return;
  const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`;
  throw new MaestroError('OUTCOMES_INVALID', `${where}: ${problems[0].message}${more}`, { problems });
}

function checkedOutcome(
  nodes: readonly NodeSpec[],
  node: NodeSpec,
  value: unknown,
  problem: (message: string) => void,
): Outcome | undefined {
  const name = `node ${JSON.stringify(node.id)}`;
  const wrong = outcomeProblems(value);
  for (const message of wrong) problem(`${name}: ${message}`);
  if (wrong.length > 0) return undefined;
  const spec = value as OutcomeSpec;
  const kind = node.type === 'parallel_group' ? 'group' : (simulatedWaitOf(node)?.kind ?? 'step');
  const useless = (Object.keys(spec) as (keyof OutcomeSpec)[]).filter((key) => !KEYS[kind].has(key));
  for (const key of useless) problem(`${name} is ${SAID[kind]}: "${key}" has no meaning here`);
  for (const [one, many] of [
    ['output', 'outputs'],
    ['decision', 'decisions'],
  ] as const)
    if (one in spec && many in spec) problem(`${name} has both "${one}" and "${many}": give one of them`);
  if (Array.isArray(spec.duration_seconds) && spec.duration_seconds[0] > spec.duration_seconds[1])
    problem(`${name}: duration_seconds is a span, the shorter one first`);
  const outcome = outcomeOf(spec);
  for (const message of misfits(nodes, node, kind, outcome)) problem(`${name}: ${message}`);
  return outcome;
}

/** Without the keys that are not there, so that it can be laid over another one. */
function outcomeOf(spec: OutcomeSpec): Outcome {
  const { duration_seconds: seconds, failure_rate, error, decision, unanswered_rate } = spec;
  const outputs = 'output' in spec ? [spec.output] : spec.outputs;
  const decisions = decision !== undefined ? [decision] : spec.decisions;
  return {
    ...(seconds !== undefined && { seconds: typeof seconds === 'number' ? [seconds, seconds] : seconds }),
    ...(failure_rate !== undefined && { failureRate: failure_rate }),
    ...(outputs !== undefined && { outputs }),
    ...(error !== undefined && { error: errorOf(error) }),
    ...(decisions !== undefined && { decisions }),
    ...(unanswered_rate !== undefined && { unansweredRate: unanswered_rate }),
  } satisfies Outcome;
}

function errorOf(error: NonNullable<OutcomeSpec['error']>): ErrorDocument {
  if (typeof error === 'string') return { name: 'Error', message: error };
  const { name = 'Error', code, message = `${code ?? name} (declared)`, details } = error;
  return { name, message, ...(code !== undefined && { code }), ...(details !== undefined && { details }) };
}

/** Answers that the runtime would refuse. */
function misfits(
  nodes: readonly NodeSpec[],
  node: NodeSpec,
  kind: Kind,
  { outputs = [] }: Outcome,
): string[] {
  if (kind === 'step') return [];
  const schemas = answerSchemas(nodes, node);
  return outputs.flatMap((output) =>
    answerProblems(schemas, output).map((message) => `an output would be refused as an answer: ${message}`),
  );
}
