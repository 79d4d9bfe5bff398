import { CommanderError } from 'commander';
import picocolors from 'picocolors';
import { describe, expect, it } from 'vitest';
import { errorEnvelope, exitCodeOf, formatError } from '../../src/cli/error-report.js';
import { codeFrame, formatProblem } from '../../src/cli/format/problems.js';
import { exitCodeFor } from '../../src/cli/attach.js';
import { formatExecution, formatNode } from '../../src/cli/report/execution-text.js';
import { formatEventLine } from '../../src/cli/report/event-text.js';
import { formatListing } from '../../src/cli/report/listing-text.js';
import { summarize } from '../../src/cli/report/run-summary.js';
import { formatPath, formatSummary } from '../../src/cli/report/summary-text.js';
import { MaestroError } from '../../src/base/errors.js';
import { ERROR_CODES } from '../../src/base/error-codes.js';
import { compilePlan } from '../../src/graph/index.js';
import { documentOf } from './support/documents.js';

const plain = picocolors.createColors(false);
const NOW = Date.parse('2026-01-01T01:00:00Z');

describe('errors', () => {
  it('exit with the code of the catalogue', () => {
    for (const [code, { exit }] of Object.entries(ERROR_CODES)) {
      expect(exitCodeOf(new MaestroError(code as keyof typeof ERROR_CODES, 'x'))).toBe(exit);
    }
    expect(exitCodeOf(new CommanderError(1, 'commander.unknownOption', 'x'))).toBe(2);
    expect(exitCodeOf(new CommanderError(0, 'commander.version', 'x'))).toBe(0);
    expect(exitCodeOf(new TypeError('x'))).toBe(2);
    expect(exitCodeOf(null)).toBe(2);
  });

  it('say what happened and what to do, and keep the stack to themselves', () => {
    const error = new MaestroError('SPEC_NOT_FOUND', 'there is no file x.yaml');
    expect(formatError(error, plain, false)).toBe(
      `error: there is no file x.yaml [SPEC_NOT_FOUND]\n  → ${ERROR_CODES.SPEC_NOT_FOUND.next}`,
    );
    expect(formatError(error, plain, true)).toContain('    at ');
    expect(errorEnvelope(error, false).error).not.toHaveProperty('stack');
  });

  it('list every problem with its place', () => {
    const problem = {
      code: 'DUPLICATE_ID',
      message: 'twice',
      severity: 'error',
      file: 'w.yaml',
      line: 3,
      column: 7,
    } as const;
    const error = new MaestroError('SPEC_INVALID', 'w.yaml has 1 problem', { problems: [problem] });
    expect(formatError(error, plain, false)).toContain('\n  w.yaml:3:7: error: twice [DUPLICATE_ID]\n');
    expect(errorEnvelope(error, false).error.problems).toEqual([problem]);
  });

  it('do not tell a single problem twice', () => {
    const problem = {
      code: 'CYCLE',
      message: 'a cycle',
      severity: 'error',
      file: 'w.yaml',
      line: 3,
    } as const;
    const error = new MaestroError('CYCLE', 'w.yaml:3: a cycle', { problems: [problem] });
    expect(formatError(error, plain, false).match(/a cycle/g)).toHaveLength(1);
  });

  it('that nobody foresaw ask to be reported', () => {
    const text = formatError(new RangeError('boom'), plain, false);
    expect(text).toContain('internal error: RangeError: boom');
    expect(text).toContain('please report');
    expect(text).not.toContain('    at ');
  });
});

describe('code frames', () => {
  const at = (line?: number, column?: number) =>
    codeFrame('one\n\ttwo: [', { code: 'X', message: 'm', severity: 'error', line, column }, plain);
  it('point at the column', () => expect(at(2, 7)).toEqual(['2 |  two: [', '  |       ^']));
  it('are left out when there is nothing to point at', () => {
    expect(at()).toEqual([]);
    expect(at(9)).toEqual([]);
    expect(at(1, 500)).toEqual(['1 | one']);
  });
});

it('problems without a place still read well', () => {
  expect(formatProblem({ code: 'X', message: 'm', severity: 'warning' }, plain)).toBe('warning: m [X]');
});

const commandFor = (action: string): string => `maestro ${action} e1`;

describe('summaries', () => {
  const plan = compilePlan([
    { id: 'a', dependencies: [] },
    { id: 'b', dependencies: ['a'] },
    { id: 'c', dependencies: ['a'] },
    { id: 'd', dependencies: ['b', 'c'] },
  ]);
  const nodes = {
    a: { status: 'completed', seconds: 1 },
    b: { status: 'completed', seconds: 2, attempts: 3 },
    c: { status: 'completed', seconds: 4 },
    d: { status: 'completed', seconds: 1 },
  } as const;

  it('measure the critical path and the speed-up', () => {
    const document = documentOf({ status: 'completed', seconds: 6.4, nodes });
    const summary = summarize({ document, durability: 'sync', plan, watchedFromStart: true, commandFor });
    expect(summary).toMatchObject({
      duration_seconds: 6.4,
      serial_seconds: 8,
      speed_up: 1.25,
      critical_path: { seconds: 6, nodes: ['a', 'c', 'd'] },
      retries: 2,
      failed_node: null,
      continue_with: null,
    });
    expect(summary.slowest[0]).toEqual({ node_id: 'c', seconds: 4 });
    expect(summary.counts).toMatchObject({ completed: 4, failed: 0 });
    const text = formatSummary(summary, plain);
    expect(text).toContain('completed wf: 4/4 nodes in 6.40s');
    expect(text).toContain('8.00s (speed-up over serial 1.3×)');
    expect(text).toContain('6.00s: a → c → d');
  });

  it('prefer measured durations over times in the document', () => {
    const document = documentOf({ status: 'completed', seconds: 2, nodes });
    const nodeSeconds = new Map([['a', 0.5]]);
    const summary = summarize({
      document,
      durability: 'sync',
      nodeSeconds,
      watchedFromStart: true,
      commandFor,
    });
    expect(summary.serial_seconds).toBe(7.5);
    expect(summary.critical_path).toBeNull();
  });

  it('claim no speed-up for an execution that was not watched from its start', () => {
    const document = documentOf({ status: 'completed', seconds: 2, nodes });
    expect(
      summarize({ document, durability: 'sync', watchedFromStart: false, commandFor }).speed_up,
    ).toBeNull();
  });

  it('say which node failed, why, what is left, and how to go on', () => {
    const document = documentOf({
      status: 'failed',
      seconds: 3,
      nodes: {
        a: { status: 'completed', seconds: 1 },
        b: { status: 'failed', seconds: 2 },
        c: { status: 'pending' },
        d: { status: 'blocked' },
      },
      failedNode: 'b',
      error: {
        name: 'Error',
        message: 'disk\u001b[31m on fire',
        code: 'STEP_FAILED',
        stack: 'Error\n    at secret',
      },
    });
    const summary = summarize({ document, durability: 'sync', plan, watchedFromStart: true, commandFor });
    expect(summary).toMatchObject({
      blocked_nodes: ['d'],
      pending_nodes: ['c'],
      continue_with: 'maestro retry e1',
    });
    expect(summary.critical_path).toEqual({ seconds: 3, nodes: ['a', 'b'] });
    const text = formatSummary(summary, plain);
    expect(text).toContain(
      'node b failed\n    disk on fire [STEP_FAILED]\n    → ' + ERROR_CODES.STEP_FAILED.next,
    );
    expect(text).toContain('blocked  d');
    expect(text).toContain('not started  c');
    expect(text.endsWith('run what is left again with: maestro retry e1')).toBe(true);
    expect(text).not.toContain('secret');
  });

  it('are for resuming when paused', () => {
    const document = documentOf({ status: 'paused', seconds: 1, nodes: { a: { status: 'ready' } } });
    const summary = summarize({ document, durability: 'sync', watchedFromStart: true, commandFor });
    expect(summary).toMatchObject({ continue_with: 'maestro resume e1', pending_nodes: ['a'] });
  });

  it('list some artifacts and count the rest', () => {
    const document = documentOf({
      status: 'completed',
      seconds: 1,
      nodes: {},
      artifacts: { a: Array.from({ length: 23 }, (_, i) => `/x/${i}`) },
    });
    const text = formatSummary(
      summarize({ document, durability: 'sync', watchedFromStart: true, commandFor }),
      plain,
    );
    expect(text).toContain('/x/19\n    … and 3 more');
  });

  it('shorten long paths in the middle', () => {
    expect(formatPath(['a', 'b'])).toBe('a → b');
    expect(formatPath([...'abcdefghij'])).toBe('a → b → c → d → (3 more) → h → i → j');
  });

  it('end with the exit code of the status', () => {
    expect((['completed', 'failed', 'cancelled', 'paused'] as const).map(exitCodeFor)).toEqual([
      0, 1, 1, 130,
    ]);
  });
});

describe('show', () => {
  it('puts what needs attention first when there are many nodes', () => {
    const nodes = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [
        `n${i}`,
        { status: i === 99 ? 'failed' : 'completed', seconds: 1 } as const,
      ]),
    );
    const document = documentOf({ status: 'failed', seconds: 1, nodes });
    const options = { color: plain, nowMs: NOW, all: false, verbose: false, commandFor };
    const lines = formatExecution(document, options).split('\n');
    expect(lines[lines.findIndex((line) => line.startsWith('NODE')) + 1]).toMatch(/^n99\s+failed/);
    expect(lines.at(-1)).toBe('… and 40 more: --all shows every node');
    expect(formatExecution(document, { ...options, all: true })).not.toContain('more: --all');
  });

  it('says that an interrupted execution can be resumed', () => {
    const document = { ...documentOf({ status: 'running', seconds: 1, nodes: {} }), interrupted: true };
    expect(
      formatExecution(document, { color: plain, nowMs: NOW, all: false, verbose: false, commandFor }),
    ).toMatch(/interrupted \(its process died\)[^]*go on with +maestro resume e1/);
  });

  it('shows one node with its output', () => {
    const document = documentOf({
      status: 'completed',
      seconds: 1,
      nodes: { a: { status: 'completed', seconds: 1, output: { x: [1] } } },
    });
    const text = formatNode(document.node_states.a, { color: plain, nowMs: NOW, verbose: false });
    expect(text).toContain('duration  1.00s');
    expect(text).toContain('"x": [');
  });
});

it('a listing marks interrupted executions', () => {
  const listed = {
    execution_id: 'e1',
    workflow_id: 'wf',
    workflow_name: 'wf',
    status: 'running',
    interrupted: true,
    mode: 'linear',
    durability: 'sync',
    completed_nodes: 1,
    total_nodes: 2,
    created_at: '2026-01-01T00:00:00.000Z',
    started_at: '2026-01-01T00:30:00.000Z',
    completed_at: null,
    duration_seconds: null,
  } as const;
  expect(formatListing([listed], plain, NOW).split('\n')[1]).toBe(
    'e1  interrupted  wf        1/2    30m ago  –',
  );
  expect(formatListing([], plain, NOW)).toBe('no executions');
});

it('events read as sentences', () => {
  const base = { workflow_id: 'w', execution_id: 'e', timestamp: '2026-01-01T00:00:01.234Z' };
  const line = (event: Parameters<typeof formatEventLine>[0]) => formatEventLine(event, plain);
  expect(
    line({ ...base, event_type: 'node_completed', node_id: 'a', data: { execution_time_seconds: 1.5 } }),
  ).toBe('00:00:01.234  completed a in 1.50s');
  expect(
    line({
      ...base,
      event_type: 'node_failed',
      node_id: 'a',
      data: { error: { message: 'x', code: 'STEP_FAILED' }, will_retry: true },
    }),
  ).toBe('00:00:01.234  failed a: x [STEP_FAILED] (will be retried)');
  expect(line({ ...base, event_type: 'workflow_failed', data: { failed_node: 'a', error: 'x' } })).toBe(
    '00:00:01.234  workflow failed at a: x',
  );
  expect(line({ ...base, event_type: 'workflow_started', data: { initial_context: { k: 1 } } })).toBe(
    '00:00:01.234  workflow started {"initial_context":{"k":1}}',
  );
});
