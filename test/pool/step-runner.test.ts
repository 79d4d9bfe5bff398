import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MaestroError } from '../../src/base/errors.js';
import type { StepContext } from '../../src/base/step.js';
import { encodeOutput } from '../../src/pool/step-result.js';
import { RunningStep, type StepHost } from '../../src/pool/step-runner.js';
import type { StepCall } from '../../src/pool/port.js';
import { callOf } from '../support/pool-recorder.js';

const host: StepHost = {
  heartbeat: () => {},
  progress: () => {},
  fetch: (kind) => Promise.resolve(JSON.stringify({ kind })),
};
const LIMIT = 1_000_000;
const run = (fn: (context: StepContext) => unknown, call: Partial<StepCall> = {}) =>
  new RunningStep({ ...callOf(1), ...call }, '{"g":1}', host).run(fn, LIMIT);
const failing = (thrown: unknown) =>
  run(() => {
    throw thrown;
  });

describe('the context of a step', () => {
  it('holds the call, parsed', async () => {
    const result = await run(
      async ({
        allOutputs,
        allArtifacts,
        artifactDir: _a,
        heartbeat: _h,
        progress: _p,
        signal,
        ...plain
      }) => ({
        ...plain,
        outputs: await allOutputs(),
        artifacts_: await allArtifacts(),
        aborted: signal.aborted,
      }),
      { nodeConfig: '{"c":1}', dependencyOutputs: '{"a":[1]}', dependencyArtifacts: '{"a":["f"]}' },
    );
    expect(result.ok && JSON.parse(result.output)).toEqual({
      workflowId: 'w',
      executionId: 'e',
      nodeId: 'n1',
      nodeName: 'node 1',
      attempt: 1,
      iteration: 1,
      previousOutput: null,
      idempotencyKey: 'e/n1/0',
      nodeConfig: { c: 1 },
      dependencyOutputs: { a: [1] },
      dependencyArtifacts: { a: ['f'] },
      globalContext: { g: 1 },
      outputs: { kind: 'allOutputs' },
      artifacts_: { kind: 'allArtifacts' },
      aborted: false,
    });
  });

  it('creates the artifact folder on the first call only', async () => {
    const root = mkdtempSync(join(tmpdir(), 'maestro-'));
    const artifactDir = join(root, 'w', 'e', 'n');
    await run(() => expect(existsSync(artifactDir)).toBe(false), { artifactRoot: root, nodeId: 'n' });
    await run((context) => expect(context.artifactDir()).toBe(context.artifactDir()), {
      artifactRoot: root,
      nodeId: 'n',
    });
    expect(existsSync(artifactDir)).toBe(true);
    rmSync(root, { recursive: true });
  });

  it('keeps progress within 0 and 1, whatever it is given', () => {
    const fractions: number[] = [];
    const counting = { ...host, progress: (fraction: number) => fractions.push(fraction) };
    const step = new RunningStep(callOf(1), '{}', counting);
    for (const value of [0.5, 7, -1, Number.NaN, 'half' as unknown as number]) step.context.progress(value);
    expect(fractions).toEqual([0.5, 1, 0, 0, 0]);
  });

  it('fires the signal with the reason, also when it is looked at only later', () => {
    const step = new RunningStep(callOf(1), '{}', host);
    step.abort({ name: 'E', message: 'late', code: 'STEP_TIMEOUT' });
    expect(step.context.signal.aborted).toBe(true);
    expect(step.context.signal.reason).toMatchObject({ code: 'STEP_TIMEOUT', message: 'late' });
  });

  it('takes no result from a step that was aborted', async () => {
    const step = new RunningStep(callOf(1), '{}', host);
    const result = step.run(async ({ signal }: StepContext) => signal.aborted, LIMIT);
    step.abort({ name: 'E', message: 'enough' });
    expect(await result).toEqual({ ok: false, error: { name: 'E', message: 'enough' } });
  });
});

describe('what a step returns', () => {
  it('is JSON, with undefined as null', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const result = encodeOutput(value, LIMIT);
        expect(result.ok && JSON.parse(result.output)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 200 },
    );
    expect(encodeOutput(undefined, LIMIT)).toMatchObject({ ok: true, output: 'null' });
  });

  it('stays synchronous when the step is', () => {
    expect(run(() => 1)).not.toBeInstanceOf(Promise);
    expect(run(async () => 1)).toBeInstanceOf(Promise);
  });

  it.each([
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a BigInt', { n: 1n }],
    ['a cycle', cyclic()],
  ])('is refused when it is %s', (_name, value) => {
    expect(encodeOutput(value, LIMIT)).toMatchObject({
      ok: false,
      error: { code: 'OUTPUT_NOT_SERIALIZABLE' },
    });
  });

  it('is refused when its toJSON throws, naming the cause', () => {
    const hostile = {
      toJSON() {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- steps may
        throw null;
      },
    };
    expect(encodeOutput(hostile, LIMIT)).toMatchObject({
      ok: false,
      error: { code: 'OUTPUT_NOT_SERIALIZABLE', cause: { name: 'NonError', message: 'null' } },
    });
  });

  it('is measured in bytes of UTF-8', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.integer({ min: 1, max: 130 }),
        (text, limit) => {
          const fits = Buffer.byteLength(JSON.stringify(text)) <= limit;
          expect(encodeOutput(text, limit).ok).toBe(fits);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('registers artifacts that are strings', () => {
    expect(encodeOutput({ artifacts: ['a', 1, 'b'] }, LIMIT)).toMatchObject({ artifacts: ['a', 'b'] });
    for (const value of [null, [], 'x', { artifacts: 'a' }, { artifacts: null }])
      expect(encodeOutput(value, LIMIT)).toMatchObject({ artifacts: [] });
  });
});

describe('what a step throws', () => {
  it('keeps name, code, cause and details', () => {
    const error = Object.assign(new TypeError('rich', { cause: 'why' }), {
      code: 'E',
      details: { at: 7, f() {} },
    });
    expect(failing(error)).toMatchObject({
      ok: false,
      error: { name: 'TypeError', message: 'rich', code: 'E', cause: { message: 'why' }, details: { at: 7 } },
    });
    expect(failing(new MaestroError('SPEC_INVALID', 'm', { details: { a: 1 } }))).toMatchObject({
      error: { code: 'SPEC_INVALID', details: { a: 1 } },
    });
  });

  it('may be anything', async () => {
    const hostile = new Proxy(new Error('x'), {
      get() {
        throw new Error('hostile');
      },
    });
    const values = [null, undefined, 'text', 7n, Symbol('s'), {}, () => 1, hostile, Object.create(null)];
    for (const value of values) {
      expect(failing(value)).toMatchObject({ ok: false, error: { message: expect.any(String) } });
      expect(await run(() => Promise.reject(value as Error))).toMatchObject({ ok: false });
    }
  });

  it('is bounded', () => {
    const error = Object.assign(new Error('x'.repeat(1e6)), { details: { y: 'y'.repeat(1e6) } });
    expect(JSON.stringify(failing(error)).length).toBeLessThan(50_000);
  });

  it('may be a thenable with a hostile then', () => {
    const hostile = {
      get then() {
        throw new Error('then');
      },
    };
    expect(run(() => hostile)).toMatchObject({ ok: false, error: { message: 'then' } });
  });
});

function cyclic(): unknown[] {
  const value: unknown[] = [];
  value.push(value);
  return value;
}
