import fc from 'fast-check';
import type { NodeEvent, WorkflowEvent } from '../../machines/events.js';
import type { ErrorDocument } from '../../src/base/errors.js';
import {
  CONTRACT_STATUSES,
  WAIT_ENDS,
  WAIT_KINDS,
  type ContractVerdict,
  type NodeOutput,
  type Wait,
} from '../../src/base/model.js';
import { WORKFLOW, type Entry, type NodeRow } from '../../src/engine/entries.js';

/** Any text without lone surrogates, which UTF-8 cannot hold. */
export const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom('', 'x'.repeat(24), 'x'.repeat(25), 'ü'.repeat(24), '__proto__'),
);

/** Any number that has one representation only. */
export const anyNumber = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: false }).filter((value) => !Object.is(value, -0)),
  fc.constantFrom(0, 2 ** 51 - 1, 2 ** 51, -(2 ** 51), -(2 ** 51) - 1, Number.MAX_SAFE_INTEGER),
);

/** Times as clocks give them: mostly close together, sometimes a fraction or a jump. */
export const anyTime = fc.oneof(
  fc.integer({ min: 1_790_000_000_000, max: 1_790_000_001_000 }),
  fc.integer({ min: 0, max: 2 ** 48 }),
  fc.double({ min: 0, max: 1e12, noNaN: true }).filter((value) => !Object.is(value, -0)),
);

export const anyOutput: fc.Arbitrary<NodeOutput> = fc.oneof(
  fc.constant('null'),
  fc.json(),
  fc.integer({ min: 0, max: 70_000 }).map((length) => JSON.stringify('é'.repeat(length))),
  fc.record({ sizeBytes: fc.maxSafeInteger().map(Math.abs) }),
);

export const anyArtifacts = fc.oneof(fc.constant([]), fc.array(anyText, { maxLength: 200 }));

const errorFields = {
  name: anyText,
  message: anyText,
  code: fc.option(anyText, { nil: undefined }),
  stack: fc.option(anyText, { nil: undefined }),
};
export const anyError: fc.Arbitrary<ErrorDocument> = fc
  .array(fc.record(errorFields), { minLength: 1, maxLength: 4 })
  .map((chain) =>
    chain.reduceRight<ErrorDocument | undefined>((cause, each) => ({ ...each, cause }), undefined)!,
  )
  .map((error) => JSON.parse(JSON.stringify(error)) as ErrorDocument);

const anyWait: fc.Arbitrary<Wait> = fc.record({
  kind: fc.constantFrom(...WAIT_KINDS),
  signal: fc.option(anyText),
  wakeAtMs: fc.oneof(fc.constant(0), anyTime),
});

const anyVerdict: fc.Arbitrary<ContractVerdict> = fc.record({
  contract: anyText,
  side: fc.constantFrom('input' as const, 'output' as const),
  severity: fc.constantFrom('blocking' as const, 'warning' as const),
  status: fc.constantFrom(...CONTRACT_STATUSES),
  problems: fc.array(fc.record({ path: anyText, message: anyText, value: anyText }), { maxLength: 3 }),
});

const nodeEvent: fc.Arbitrary<NodeEvent> = fc.oneof(
  fc.constantFrom<NodeEvent>(
    { type: 'dependenciesMet' },
    { type: 'dependencyRestored' },
    { type: 'attemptStarted' },
    { type: 'recovered', reason: 'process' },
    { type: 'recovered', reason: 'worker' },
    { type: 'recovered', reason: 'halted' },
    { type: 'cancelRequested' },
    { type: 'rerunRequested' },
  ),
  fc.nat().map((by): NodeEvent => ({ type: 'dependencyFailed', by })),
  anyWait.map((wait): NodeEvent => ({ type: 'waitStarted', ...wait })),
  fc.constantFrom(...WAIT_ENDS).map((by): NodeEvent => ({ type: 'waitEnded', by })),
  fc
    .record({ text: anyText, reviewer: fc.option(anyText) })
    .map((fields): NodeEvent => ({ type: 'commented', ...fields })),
  fc
    .array(anyVerdict, { minLength: 1, maxLength: 3 })
    .map((verdicts): NodeEvent => ({ type: 'contractsChecked', verdicts })),
  anyText.map((condition): NodeEvent => ({ type: 'conditionNotMet', condition })),
  fc
    .record({
      from: fc.nat(),
      verdict: fc.oneof(
        fc.record({ taken: fc.boolean() }),
        fc.record({ taken: fc.constant(null), error: anyError }),
      ),
    })
    .map((fields): NodeEvent => ({ type: 'edgeEvaluated', ...fields })),
  anyError.map((error): NodeEvent => ({ type: 'timedOut', error })),
  anyText.map((hash): NodeEvent => ({ type: 'cacheHit', hash })),
  fc
    .record(
      { output: anyOutput, durationMs: anyNumber, nextAtMs: anyTime },
      { requiredKeys: ['output', 'durationMs'] },
    )
    .map((fields): NodeEvent => ({ type: 'iterationEnded', ...fields })),
  fc
    .record({ output: anyOutput, artifacts: anyArtifacts, durationMs: anyNumber })
    .map((fields): NodeEvent => ({ type: 'attemptSucceeded', ...fields })),
  fc
    .record(
      { error: anyError, durationMs: anyNumber, retryAtMs: anyTime },
      { requiredKeys: ['error', 'durationMs'] },
    )
    .map((fields): NodeEvent => ({ type: 'attemptFailed', ...fields })),
);

const workflowEvent: fc.Arbitrary<WorkflowEvent> = fc.oneof(
  fc.constantFrom<WorkflowEvent>(
    { type: 'started' },
    { type: 'pauseRequested' },
    { type: 'resumeRequested' },
    { type: 'allNodesSettled' },
    { type: 'cancelRequested' },
    { type: 'retryRequested' },
  ),
  anyText.map((reason): WorkflowEvent => ({ type: 'cancelRequested', reason })),
  fc
    .oneof(
      fc.record({ kind: fc.constant('failed' as const), node: fc.nat(), error: anyError }),
      fc.record({ kind: fc.constant('timedOut' as const), error: anyError }),
      fc.record({ kind: fc.constant('cancelled' as const), reason: anyText }),
    )
    .map((ending): WorkflowEvent => ({ type: 'compensationStarted', ending })),
  fc
    .record({ node: fc.nat(), error: anyError })
    .map((fields): WorkflowEvent => ({ type: 'nodeFailedForGood', ...fields })),
  fc
    .record({ name: anyText, payload: fc.json(), id: fc.option(anyText) })
    .map((fields): WorkflowEvent => ({ type: 'signalReceived', ...fields })),
  anyError.map((error): WorkflowEvent => ({ type: 'abandoned', error })),
  fc
    .record({ node: fc.nat(), cascade: fc.boolean(), standing: fc.nat(), nodes: fc.array(fc.nat()) })
    .map((fields): WorkflowEvent => ({ type: 'rerunRequested', ...fields })),
  fc
    .record({ group: fc.nat(), node: fc.nat() })
    .map((fields): WorkflowEvent => ({ type: 'groupRestarted', ...fields })),
  fc
    .record({ node: fc.nat(), run: fc.nat(), items: fc.nat(), digest: anyText })
    .map((fields): WorkflowEvent => ({ type: 'mapExpanded', ...fields })),
  fc
    .record({
      ...{ from: anyText, to: anyText },
      ...{ added: fc.array(anyText), removed: fc.array(anyText), changed: fc.array(anyText) },
    })
    .map((fields): WorkflowEvent => ({ type: 'migrated', ...fields })),
);

export const anyEntry: fc.Arbitrary<Entry> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ node: fc.nat(), event: nodeEvent, atMs: anyTime }) },
  { weight: 1, arbitrary: fc.record({ node: fc.constant(WORKFLOW), event: workflowEvent, atMs: anyTime }) },
);

export const anyRow: fc.Arbitrary<NodeRow> = fc.record({
  leaf: fc.integer({ min: 0, max: 8 }),
  attempt: fc.nat(),
  run: fc.nat(),
  startedAtMs: anyTime,
  endedAtMs: anyTime,
  wakeAtMs: anyTime,
  output: fc.option(anyOutput),
  artifacts: anyArtifacts,
  error: fc.option(anyError),
  condition: fc.option(anyText),
  wait: fc.option(anyWait),
  comments: fc.array(fc.record({ text: anyText, reviewer: fc.option(anyText), atMs: anyTime }), {
    maxLength: 3,
  }),
  iteration: fc.option(fc.record({ number: fc.nat(), output: anyOutput })),
  contracts: fc.array(anyVerdict, { maxLength: 3 }),
});
