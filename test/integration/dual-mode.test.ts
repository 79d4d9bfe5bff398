import { afterEach, describe, expect, it } from 'vitest';
import {
  createDualModeEngine,
  SDLC_PHASES,
  type DualModeEngine,
  type DualModeOptions,
  type PhaseExecutor,
  type SdlcPhase,
} from '../../src/runtime/index.js';
import { tempDirs } from '../support/temp-dir.js';
import { Gate, until } from './support/runtimes.js';

const tempDir = tempDirs('maestro-dual-mode');
const DAG = { MAESTRO_ENABLE_DAG_EXECUTION: 'true' };
const PARALLEL = { ...DAG, MAESTRO_ENABLE_PARALLEL_EXECUTION: 'true' };

const opened: DualModeEngine[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((engine) => engine.close()));
});

async function engineOf(team: PhaseExecutor, options: DualModeOptions): Promise<DualModeEngine> {
  const engine = await createDualModeEngine(team, { store: 'memory:', ...options });
  opened.push(engine);
  return engine;
}

/** Notes which phases were at work when each began, and passes on what it was given. */
class Team implements PhaseExecutor {
  readonly begun: SdlcPhase[] = [];
  readonly atWork = new Set<SdlcPhase>();
  mostAtOnce = 0;
  /** Both developers wait for each other when true: only a parallel run ends. */
  constructor(private readonly meet = false) {}

  async executePhase(
    phase: SdlcPhase,
    { dependencyOutputs }: Parameters<PhaseExecutor['executePhase']>[1],
  ): Promise<object> {
    this.begun.push(phase);
    this.atWork.add(phase);
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atWork.size);
    if (this.meet && phase.endsWith('_development'))
      await until(() => this.mostAtOnce === 2, 'both developers were at work');
    await new Promise(setImmediate);
    this.atWork.delete(phase);
    return { phase, after: Object.keys(dependencyOutputs).sort() };
  }
}

describe('the dual-mode engine', () => {
  it.each([
    ['linear', {}],
    ['dag_linear', DAG],
  ] as const)('runs one phase after another as %s', async (mode, env) => {
    const team = new Team();
    const engine = await engineOf(team, { env });
    const result = await engine.execute({ requirement: 'a shop' });
    expect(result).toEqual({
      status: 'completed',
      execution_mode: mode,
      workflow_id: 'sdlc_linear',
      execution_id: expect.any(String) as string,
      completed_nodes: 6,
      total_nodes: 6,
      execution_time: expect.any(Number) as number,
      event_summary: {
        workflow_started: 1,
        node_ready: 6,
        node_started: 6,
        node_completed: 6,
        workflow_completed: 1,
      },
    });
    expect(team.begun).toEqual(SDLC_PHASES);
    expect(team.mostAtOnce).toBe(1);
  });

  it('runs what may run at once as dag_parallel', async () => {
    const team = new Team(true);
    const engine = await engineOf(team, { env: PARALLEL, sdlc: { id: 'shop' } });
    const result = await engine.execute();
    expect(result).toMatchObject({
      status: 'completed',
      execution_mode: 'dag_parallel',
      workflow_id: 'shop',
    });
    expect(team.mostAtOnce).toBe(2);
    const { node_outputs } = (await engine.runtime.get(result.execution_id))!;
    expect(node_outputs.phase_testing).toEqual({
      phase: 'testing',
      after: ['phase_backend_development', 'phase_frontend_development'],
    });
  });

  it('says what failed as a result', async () => {
    const team: PhaseExecutor = {
      executePhase: (phase) => {
        if (phase === 'design') throw new Error('no idea');
        return null;
      },
    };
    const result = await (await engineOf(team, { env: DAG })).execute();
    expect(result).toMatchObject({
      status: 'failed',
      completed_nodes: 1,
      failed_node: 'phase_design',
      error: { message: 'no idea' },
      event_summary: { node_failed: 1, workflow_failed: 1 },
    });
  });

  it('follows the other flags too', async () => {
    let calls = 0;
    const team: PhaseExecutor = {
      executePhase: () => {
        if (++calls === 1) throw new Error('once');
        return null;
      },
    };
    const env = { ...DAG, MAESTRO_ENABLE_EXECUTION_EVENTS: 'off', MAESTRO_ENABLE_CONTEXT_PERSISTENCE: 'off' };
    const engine = await createDualModeEngine(team, { env });
    opened.push(engine);
    expect(await engine.execute()).toMatchObject({ status: 'failed', event_summary: {} });
  });

  it('refuses flags that contradict each other, unless a mode is given', async () => {
    const env = { MAESTRO_ENABLE_PARALLEL_EXECUTION: 'true' };
    await expect(engineOf(new Team(), { env })).rejects.toThrow(
      expect.objectContaining({ code: 'CONFIG_CONFLICT' }) as Error,
    );
    expect((await engineOf(new Team(), { env, mode: 'dag_linear' })).mode).toBe('dag_linear');
  });

  it('continues in a new engine what an old one left', async () => {
    const store = `lmdb:${tempDir()}`;
    const gate = new Gate();
    const begun: string[] = [];
    const team = (held: Promise<void>): PhaseExecutor => ({
      executePhase: async (phase, { signal }) => {
        begun.push(phase);
        if (phase === 'testing')
          await Promise.race([held, new Promise((_, reject) => signal.addEventListener('abort', reject))]);
        return phase;
      },
    });
    const first = await createDualModeEngine(team(gate.passed), { env: PARALLEL, store });
    const left = first.execute({}, { executionId: 'left' });
    void left.catch(() => {});
    await until(() => begun.includes('testing'), 'testing had begun');
    await first.runtime.close({ drainMs: 0, graceMs: 0 });
    await expect(left).rejects.toThrow(/closed/);

    const second = await engineOf(team(Promise.resolve()), { env: PARALLEL, store, recover: false });
    await second.runtime.recover();
    const result = await second.resume('left');
    expect(result).toMatchObject({ status: 'completed', completed_nodes: 6 });
    expect(result.event_summary.workflow_started).toBe(1);
    expect(begun.filter((phase) => phase === 'design')).toHaveLength(1);
    expect(begun.filter((phase) => phase === 'testing')).toHaveLength(2);
  });
});
