import { describe, expect, it } from 'vitest';
import {
  simulateWorkflow,
  type SimulationOptions,
  type SimulationReport,
} from '../../src/simulation/index.js';
import { judge } from '../../src/simulation/verdict.js';
import { workflowFromSpec, type NodeSpec } from '../../src/spec/index.js';

type Fields = Partial<NodeSpec> & { id: string; simulate?: object };

/** Nodes one after another, unless they say otherwise. */
function simulate(nodes: readonly Fields[], options: SimulationOptions = {}): Promise<SimulationReport> {
  const spec = {
    workflow: { id: 'w', name: 'W' },
    nodes: nodes.map(({ simulate: outcome, ...node }, k) => ({
      ...{ name: node.id, type: 'custom', dependencies: k === 0 ? [] : [nodes[k - 1].id] },
      ...(node.type === 'human_review' || node.wait_for || node.sleep || node.wait_until
        ? {}
        : { run: 'false' }),
      ...(outcome !== undefined && { metadata: { simulate: outcome } }),
      ...node,
    })),
  };
  return simulateWorkflow(workflowFromSpec(spec), { seeds: 30, ...options });
}

const kinds = ({ surprises }: SimulationReport): string[] => surprises.map(({ kind }) => kind);

describe('an end that surprises', () => {
  it('did_not_end: nobody answers, and there is no deadline', async () => {
    const waiting = (simulate: object): Fields[] => [{ id: 'go', wait_for: { signal: 'go' }, simulate }];
    const never = await simulate(waiting({ unanswered_rate: 1 }), { seeds: 3 });
    expect(never.surprises).toEqual([
      {
        ...{ kind: 'did_not_end', node_id: null, executions: 3, seeds: [1, 2, 3] },
        message: 'it is running when the simulated time is over: "go" is running',
      },
    ]);
    expect(never.ends).toEqual({ completed: 0, failed: 0, cancelled: 0, open: 3 });
    const always = await simulate(waiting({ unanswered_rate: 0 }));
    expect([kinds(always), always.ends.completed]).toEqual([[], 30]);
  });

  it('did_not_end: it takes longer than the limit', async () => {
    const nodes = [{ id: 'sleepy', sleep: { seconds: 100 } }];
    expect(kinds(await simulate(nodes, { limitSeconds: 50 }))).toEqual(['did_not_end']);
    expect(kinds(await simulate(nodes, { limitSeconds: 150 }))).toEqual([]);
  });

  it('condition_failed: what a condition reads is not in what is declared', async () => {
    const nodes = (output: unknown): Fields[] => [
      { id: 'a', simulate: { output } },
      { id: 'b', condition: 'outputs.a.n > 1' },
    ];
    const report = await simulate(nodes({ m: 1 }));
    expect(report.surprises).toMatchObject([{ kind: 'condition_failed', node_id: 'b', executions: 30 }]);
    expect(report.surprises[0].message).toMatch(/outputs\.a\.n > 1.*field not found: n/);
    expect(report.unreachable).toMatchObject([{ node_id: 'b', ends: { failed: 30 } }]);
    expect(kinds(await simulate(nodes({ n: 2 })))).toEqual([]);
  });

  it('failed: an attempt takes longer than its timeout, as declared', async () => {
    const nodes = (seconds: number): Fields[] => [
      { id: 'slow', timeout_seconds: 60, simulate: { duration_seconds: seconds } },
    ];
    const report = await simulate(nodes(100));
    expect(report.surprises).toMatchObject([{ kind: 'failed', node_id: 'slow', executions: 30 }]);
    expect(report.surprises[0].message).toMatch(/took longer than 60 s/);
    expect(kinds(await simulate(nodes(50)))).toEqual([]);
  });

  it('completed_nothing: everything is skipped', async () => {
    const nodes = (condition: string): Fields[] => [{ id: 'a', condition }, { id: 'b' }];
    expect(kinds(await simulate(nodes('false')))).toEqual(['completed_nothing']);
    expect(kinds(await simulate(nodes('true')))).toEqual([]);
  });

  it('runtime_died: the runtime itself failed', async () => {
    const trial = {
      ...{ seed: 1, document: undefined, events: [], notes: [], causeOf: () => null },
      struck: { crash: 0, timeout: 0, error: 0 },
      model: undefined as never,
    };
    const failure = { name: 'MaestroError', code: 'INVARIANT', message: '2 nodes wait for nothing' };
    expect(judge({ ...trial, failure }).surprises).toMatchObject([
      { kind: 'runtime_died', message: expect.stringContaining('INVARIANT') as string },
    ]);
    expect(judge({ ...trial, failure: null }).surprises).toMatchObject([{ kind: 'did_not_end' }]);
  });

  it('failed: items of a map fail, unless that is declared; what its conditions read of items is made', async () => {
    const nodes = (failureRate: number, condition: string): Fields[] => [
      { id: 'list' },
      {
        ...{ id: 'each', dependencies: ['list'], map: 'outputs.list.items', condition },
        ...(failureRate > 0 && { simulate: { failure_rate: failureRate } }),
      },
    ];
    expect(kinds(await simulate(nodes(0, 'item.n > 3')))).toEqual([]);
    expect((await simulate(nodes(1, 'true'))).surprises).toEqual([]);
    const [wrong] = (await simulate(nodes(0, 'index + item.missing > 0 && item.missing'))).surprises;
    expect(wrong).toMatchObject({ kind: 'failed', node_id: 'each' });
  });

  it('a failure that is declared, injected or decided is none', async () => {
    const metadata = { run: 'nightly', error: 'none', simulate: { failure_rate: 1 } };
    const declared = await simulate([{ id: 'a', metadata }]);
    expect([kinds(declared), declared.expected_failures]).toEqual([[], { declared: 30 }]);
    const injected = await simulate([{ id: 'a' }], { faults: ['error'], seeds: 100 });
    expect(kinds(injected)).toEqual([]);
    expect(injected.ends.failed).toBeGreaterThan(0);
    expect(injected.expected_failures).toEqual({ error: injected.ends.failed });
    const late = await simulate([{ id: 'a', timeout_seconds: 5 }], { faults: ['timeout'], seeds: 100 });
    expect(kinds(late)).toEqual([]);
    expect(late.expected_failures).toEqual({ timeout: late.ends.failed });
    expect(late.struck).toEqual({ crash: 0, timeout: late.ends.failed, error: 0 });
    const rejected = await simulate([{ id: 'a', type: 'human_review', simulate: { decision: 'reject' } }]);
    expect([kinds(rejected), rejected.expected_failures]).toEqual([[], { rejected: 30 }]);
  });
});

describe('heartbeats', () => {
  const nodes: Fields[] = [{ id: 'long', heartbeat_timeout_seconds: 5, simulate: { duration_seconds: 600 } }];

  it('are sent as long as an attempt lasts, and stop in one that is to fail so', async () => {
    const well = await simulate(nodes);
    expect(well).toMatchObject({
      surprises: [],
      makespan_seconds: { executions: 30, max: { seconds: 600 } },
    });
    const silent = await simulate(nodes, { faults: ['timeout'], seeds: 100 });
    expect([kinds(silent), silent.ends.open]).toEqual([[], 0]);
    expect(silent.ends.failed).toBeGreaterThan(0);
    expect(silent.expected_failures).toEqual({ timeout: silent.ends.failed });
  });
});

describe('nodes that never run', () => {
  const nodes = (condition: string): Fields[] => [{ id: 'a' }, { id: 'b', condition }, { id: 'c' }];

  it('are told with what keeps them from it', async () => {
    const { unreachable } = await simulate(nodes('outputs.a.n < 1 && outputs.a.n > 2'));
    expect(unreachable).toEqual([
      { node_id: 'b', after: null, condition: 'outputs.a.n < 1 && outputs.a.n > 2', ends: { skipped: 30 } },
      { node_id: 'c', after: 'b', condition: null, ends: { skipped: 30 } },
    ]);
    expect((await simulate(nodes('outputs.a.n > 1 && outputs.a.n < 3'))).unreachable).toEqual([]);
  });

  it('are not told from a few seeds', async () => {
    expect((await simulate(nodes('false'), { seeds: 19 })).unreachable).toBeNull();
    expect((await simulate(nodes('false'), { seeds: 20 })).unreachable).toHaveLength(2);
  });
});

describe('retries that outlive timeouts', () => {
  const node = (retry_policy: NodeSpec['retry_policy'], simulate?: object): Fields[] => [
    { id: 'a', timeout_seconds: 10, retry_policy, simulate },
  ];
  const patient = { max_attempts: 4, retry_delay_seconds: 5, exponential_backoff: true };

  it('are told from the policy: 5, 10 and 20 s between four attempts of 10 s', async () => {
    const { long_retries, surprises } = await simulate(node(patient));
    expect(long_retries).toEqual([
      {
        node_id: 'a',
        timeout_seconds: 10,
        max_attempts: 4,
        delays_seconds: 35,
        worst_seconds: 75,
        seen: null,
      },
    ]);
    expect(surprises).toEqual([]);
    expect((await simulate(node({ max_attempts: 3, retry_delay_seconds: 1 }))).long_retries).toEqual([]);
    expect((await simulate(node({ ...patient, max_delay_seconds: 3 }))).long_retries).toEqual([]);
    expect((await simulate(node(patient), { retries: false })).long_retries).toEqual([]);
  });

  it('are told as seen: every attempt in time, all of them not', async () => {
    const short = { max_attempts: 3, retry_delay_seconds: 1 };
    const { long_retries } = await simulate(node(short, { duration_seconds: 8, failure_rate: 0.5 }));
    expect(long_retries).toMatchObject([{ node_id: 'a', delays_seconds: 2, worst_seconds: 32 }]);
    // Three attempts of 8 s, a second after one another.
    expect(long_retries[0].seen?.seconds).toBe(26);
    expect((await simulate(node(short, { duration_seconds: 2, failure_rate: 0.5 }))).long_retries).toEqual(
      [],
    );
  });
});
