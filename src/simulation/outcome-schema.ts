import { compileJsonSchema, type ValueCheck } from '../policy/json-schema.js';

/** How the attempts of a node come out, as workflow files (`metadata.simulate`) and outcome files say it. */
export interface OutcomeSpec {
  /** How long an attempt takes; for reviews and signals: after how long somebody answers. A span: anything in it. */
  duration_seconds?: number | [number, number];
  /** Share of attempts that fail, 0 to 1. */
  failure_rate?: number;
  /** What a step returns, a signal carries, or a reviewer responds. */
  output?: unknown;
  /** One of these instead. */
  outputs?: unknown[];
  /** What failing attempts fail with: a message, or more of an error. */
  error?: string | { name?: string; code?: string; message?: string; details?: Record<string, unknown> };
  /** What a reviewer decides. */
  decision?: 'approve' | 'reject';
  /** One of these instead. */
  decisions?: ('approve' | 'reject')[];
  /** Share of executions in which nobody answers, 0 to 1. */
  unanswered_rate?: number;
}

const SECONDS = { type: 'number', minimum: 0, maximum: 1e9 };
const SHARE = { type: 'number', minimum: 0, maximum: 1 };
const DECISION = { enum: ['approve', 'reject'] };
const TEXT = { type: 'string', minLength: 1, maxLength: 10_000 };

const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  properties: {
    duration_seconds: {
      if: { type: 'array' },
      then: { minItems: 2, maxItems: 2, items: SECONDS },
      else: SECONDS,
    },
    failure_rate: SHARE,
    output: {},
    outputs: { type: 'array', minItems: 1 },
    error: {
      if: { type: 'object' },
      then: {
        additionalProperties: false,
        properties: { name: TEXT, code: TEXT, message: TEXT, details: { type: 'object' } },
      },
      else: TEXT,
    },
    decision: DECISION,
    decisions: { type: 'array', minItems: 1, items: DECISION },
    unanswered_rate: SHARE,
  },
};

let check: ValueCheck | undefined;

/** What is wrong with the form of a declared outcome, in people's words. */
export function outcomeProblems(value: unknown): string[] {
  check ??= compileJsonSchema(SCHEMA);
  return check(value)
    .map(({ message }) => message)
    .filter((message) => !/must match "(?:then|else)" schema/.test(message));
}
