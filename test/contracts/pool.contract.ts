import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Pool, StepRef } from '../../src/pool/port.js';
import { brief, CANCELLED, PoolRecorder } from '../support/pool-recorder.js';

export interface PoolFixture {
  create(): Pool;
  readonly steps: {
    /** Ends at once. */
    readonly quick: StepRef;
    /** Fails at once. */
    readonly failing: StepRef;
    /** Ends by itself after `config.ms`. */
    readonly wait: StepRef;
    /** Never ends by itself; ends when asked to. */
    readonly honour: StepRef;
    /** Never ends by itself, not even when asked to. */
    readonly ignore: StepRef;
  };
  /** Random runs of the property. */
  readonly runs: number;
}

/** What every adapter promises: each job settles exactly once, whatever is done to it and when. */
export function poolContract(name: string, fixture: PoolFixture): void {
  const { steps } = fixture;
  let pool: Pool;
  let recorder: PoolRecorder;
  const open = (): void => {
    pool = fixture.create();
    recorder = new PoolRecorder(pool);
  };
  afterEach(() => pool.close(0));

  describe(`pool contract: ${name}`, () => {
    it('runs a job, and is idle before and after', async () => {
      open();
      expect(pool.busy).toBe(0);
      expect(pool.room(steps.quick)).toBeGreaterThan(0);
      const [outcome] = await recorder.dispatch([recorder.job(steps.quick)]);
      expect(outcome).toMatchObject({ ok: true, output: '{"done":true}', artifacts: [] });
      expect(pool.busy).toBe(0);
    });

    it('never answers synchronously', async () => {
      open();
      const job = recorder.job(steps.quick);
      const settled = recorder.dispatch([job]);
      expect(recorder.outcomes.size).toBe(0);
      pool.cancel(job.id, CANCELLED, 0);
      expect(recorder.outcomes.size).toBe(0);
      await settled;
    });

    it('settles a failure as an error', async () => {
      open();
      const [outcome] = await recorder.dispatch([recorder.job(steps.failing)]);
      expect(outcome).toMatchObject({ ok: false, kind: 'error' });
    });

    it('takes more jobs than it has room for', async () => {
      open();
      const outcomes = await recorder.dispatch(Array.from({ length: 20 }, () => recorder.job(steps.quick)));
      expect(outcomes.map(brief)).toEqual(Array.from({ length: 20 }, () => 'ok'));
    });

    it('tells when an exclusive job starts, and cancels it with the reason given', async () => {
      open();
      const job = await recorder.start(steps.honour);
      pool.cancel(job.id, { name: 'MaestroError', message: 'out of time', code: 'STEP_TIMEOUT' }, 60_000);
      expect(await recorder.settledOf(job.id)).toMatchObject({
        ok: false,
        kind: 'error',
        error: { code: 'STEP_TIMEOUT', message: 'out of time' },
      });
    });

    it('settles a step that ignores its signal after the grace period', async () => {
      open();
      const job = await recorder.start(steps.ignore);
      pool.cancel(job.id, { name: 'Error', message: 'no code' }, 20);
      expect(brief(await recorder.settledOf(job.id))).toBe('error STEP_CANCELLED');
    });

    it('lets a second cancel shorten the grace period', async () => {
      open();
      const job = await recorder.start(steps.ignore);
      pool.cancel(job.id, CANCELLED, 60_000);
      pool.cancel(job.id, { ...CANCELLED, code: 'STEP_TIMEOUT' }, 10);
      expect(brief(await recorder.settledOf(job.id))).toBe('error STEP_CANCELLED');
    });

    it('ignores the cancelling of jobs it does not know', async () => {
      open();
      pool.cancel(4711, CANCELLED, 0);
      const [outcome] = await recorder.dispatch([recorder.job(steps.quick)]);
      pool.cancel(1, CANCELLED, 0);
      expect(outcome.ok).toBe(true);
      expect(recorder.twice).toEqual([]);
    });

    it('settles every job exactly once, whenever it is cancelled', async () => {
      const moments = fc.array(
        fc.record({
          step: fc.constantFrom('quick', 'failing', 'wait', 'honour', 'ignore'),
          cancelAfterMs: fc.option(fc.integer({ min: 0, max: 30 }), { nil: undefined }),
          graceMs: fc.integer({ min: 0, max: 15 }),
        } as const),
        { minLength: 1, maxLength: 6 },
      );
      const settlesOnce = async (plan: typeof moments extends fc.Arbitrary<infer T> ? T : never) => {
        open();
        const mine = pool;
        const jobs = plan.map(({ step }) => recorder.job(steps[step], { nodeConfig: '{"ms":5}' }));
        const settled = recorder.dispatch(jobs);
        for (const [i, { step, cancelAfterMs, graceMs }] of plan.entries()) {
          // These two never end by themselves.
          const afterMs = cancelAfterMs ?? (step === 'honour' || step === 'ignore' ? 10 : undefined);
          if (afterMs !== undefined) setTimeout(() => mine.cancel(jobs[i].id, CANCELLED, graceMs), afterMs);
        }
        const outcomes = await settled;
        expect(recorder.twice).toEqual([]);
        expect(pool.busy).toBe(0);
        for (const [i, outcome] of outcomes.entries()) {
          const { step, cancelAfterMs } = plan[i];
          if (step === 'honour' || step === 'ignore') expect(brief(outcome)).toBe('error STEP_CANCELLED');
          else if (step !== 'failing' && cancelAfterMs === undefined) expect(brief(outcome)).toBe('ok');
        }
        await pool.close(0);
      };
      await fc.assert(fc.asyncProperty(moments, settlesOnce), {
        numRuns: fixture.runs,
        interruptAfterTimeLimit: 40_000,
      });
    });

    it('closes with jobs running and waiting, settles none of them, and takes no more', async () => {
      open();
      await recorder.start(steps.ignore);
      pool.dispatch(Array.from({ length: 10 }, () => recorder.job(steps.wait, { nodeConfig: '{"ms":50}' })));
      await pool.close(20);
      expect(pool.busy).toBe(0);
      expect(pool.room(steps.quick)).toBe(0);
      pool.dispatch([recorder.job(steps.quick)]);
      await pool.close(20);
      expect(recorder.outcomes.size).toBe(0);
    });

    it('closes without ever having been used', async () => {
      open();
      await pool.close(0);
      expect(pool.busy).toBe(0);
    });
  });
}
