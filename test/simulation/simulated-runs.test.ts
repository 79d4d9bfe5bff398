import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { criticalPath } from '../../src/graph/index.js';
import { FAULTS, simulateWorkflow, type OutcomeSpec } from '../../src/simulation/index.js';
import { planOf, workflowFromSpec, type Workflow } from '../../src/spec/index.js';
import { dagArbitrary, type RandomDag } from '../support/random-dag.js';

function workflowOf({ nodes }: RandomDag, fields: (id: string) => object = () => ({})): Workflow {
  return workflowFromSpec({
    workflow: { id: 'w', name: 'W', on_failure: 'continue' },
    nodes: nodes.map(({ id, dependencies }) => ({
      ...{ id, name: id, type: 'custom', run: 'false', dependencies: [...dependencies] },
      ...fields(id),
    })),
  });
}

/** Seconds that depend on the node alone. */
const secondsOf = (id: string): number => 1 + ((Number(id.slice(1)) * 7) % 13);
const lasting = ({ nodes }: RandomDag, more: OutcomeSpec = {}): Record<string, OutcomeSpec> =>
  Object.fromEntries(nodes.map(({ id }) => [id, { duration_seconds: secondsOf(id), ...more }]));

describe('a simulation', () => {
  it('of the same seeds gives the same report, byte for byte, whatever goes wrong', async () => {
    const property = fc.asyncProperty(
      dagArbitrary(15),
      fc.subarray([...FAULTS]),
      fc.integer({ min: 0, max: 1e6 }),
      async (dag, faults, firstSeed) => {
        const workflow = workflowOf(dag, () => ({ timeout_seconds: 30, retry_policy: { max_attempts: 2 } }));
        const play = async (): Promise<string> =>
          JSON.stringify(await simulateWorkflow(workflow, { seeds: 3, firstSeed, faults }));
        const report = await play();
        expect(await play()).toBe(report);
        expect(JSON.parse(report)).toMatchObject({ surprises: [] });
      },
    );
    await fc.assert(property, { numRuns: 30 });
  });

  it('takes as long as any greedy schedule may, and no less than the work and the longest path', async () => {
    const property = fc.asyncProperty(
      dagArbitrary(40),
      fc.constantFrom(1, 2, 4, 64),
      async (dag, workers) => {
        const workflow = workflowOf(dag);
        const plan = planOf(workflow.spec);
        const longest = criticalPath(plan, (node) => secondsOf(plan.ids[node])).lengthMs;
        const work = plan.ids.reduce((sum, id) => sum + secondsOf(id), 0);
        const { makespan_seconds } = await simulateWorkflow(workflow, {
          seeds: 1,
          workers,
          outcomes: lasting(dag),
        });
        const { seconds } = makespan_seconds!.max;
        expect(seconds).toBeGreaterThanOrEqual(Math.max(longest, work / workers));
        // Graham 1969.
        expect(seconds).toBeLessThanOrEqual(work / workers + longest * (1 - 1 / workers) + 1e-9);
      },
    );
    await fc.assert(property, { numRuns: 50 });
  });

  it('ends with crashes as it ends without', async () => {
    const property = fc.asyncProperty(
      dagArbitrary(20),
      fc.integer({ min: 1, max: 1e6 }),
      async (dag, firstSeed) => {
        const workflow = workflowOf(dag, () => ({
          retry_policy: { max_attempts: 2, retry_delay_seconds: 0.5 },
        }));
        const options = { seeds: 4, firstSeed, outcomes: lasting(dag, { failure_rate: 0.3 }) };
        const calm = await simulateWorkflow(workflow, options);
        const hard = await simulateWorkflow(workflow, { ...options, faults: ['crash'] });
        expect(hard.surprises).toEqual([]);
        expect([hard.ends, hard.expected_failures]).toEqual([calm.ends, calm.expected_failures]);
        crashes += hard.struck.crash;
      },
    );
    let crashes = 0;
    await fc.assert(property, { numRuns: 30 });
    expect(crashes).toBeGreaterThan(50);
  });

  it('of one seed tells its story, and what was found in many', async () => {
    const workflow = workflowFromSpec({
      workflow: { id: 'w', name: 'W' },
      nodes: [
        { id: 'a', name: 'a', type: 'custom', run: 'false' },
        {
          id: 'b',
          name: 'b',
          type: 'custom',
          run: 'false',
          dependencies: ['a'],
          condition: 'outputs.a.n > 5',
        },
      ],
    });
    const outcomes = { a: { outputs: [{ n: 1 }, { n: 9 }, {}] } };
    const { surprises } = await simulateWorkflow(workflow, { outcomes, faults: FAULTS });
    const [{ seeds, kind }] = surprises;
    const again = await simulateWorkflow(workflow, {
      outcomes,
      faults: FAULTS,
      seeds: 1,
      firstSeed: seeds[0],
    });
    expect(kind).toBe('condition_failed');
    expect(again.surprises).toMatchObject([{ kind, seeds: [seeds[0]] }]);
    const told = again.story!.map(({ text }) => text);
    expect(told.join('\n')).toMatch(
      /the execution is started[^]*a completes[^]*b fails: condition "outputs.a.n > 5" cannot be evaluated/,
    );
    expect(again.story!.map(({ at_seconds }) => at_seconds)).toEqual(
      again.story!.map(({ at_seconds }) => at_seconds).sort((x, y) => x - y),
    );
  });

  it('that is told to end reports what was played', async () => {
    const workflow = workflowFromSpec({
      workflow: { id: 'w', name: 'W' },
      nodes: [{ id: 'a', name: 'a', type: 'custom', run: 'false' }],
    });
    const stop = new AbortController();
    const progress: number[] = [];
    const report = await simulateWorkflow(workflow, {
      seeds: 1000,
      signal: stop.signal,
      onProgress: ({ run, wanted }) => {
        progress.push(run);
        expect(wanted).toBe(1000);
        if (run === 5) stop.abort();
      },
    });
    expect(report.seeds).toEqual({ first: 1, wanted: 1000, run: 5 });
    expect([report.ends.completed, progress]).toEqual([5, [1, 2, 3, 4, 5]]);
  });

  it.each([
    [{ seeds: 0 }, /seeds/],
    [{ seeds: 1.5 }, /seeds/],
    [{ firstSeed: -1 }, /firstSeed/],
    [{ workers: 0 }, /workers/],
    [{ faults: ['fire'] }, /faults.*crash, timeout, error/],
    [{ mode: 'fast' }, /mode/],
    [{ limitSeconds: 0 }, /limitSeconds/],
    [{ startAt: new Date(NaN) }, /startAt/],
  ])('refuses %o', async (options, message) => {
    const workflow = workflowFromSpec({
      workflow: { id: 'w', name: 'W' },
      nodes: [{ id: 'a', name: 'a', type: 'custom', run: 'false' }],
    });
    const refused = simulateWorkflow(workflow, options as never);
    await expect(refused).rejects.toMatchObject({
      code: 'CONFIG_CONFLICT',
      message: expect.stringMatching(message) as string,
    });
  });
});

describe('nodes that wait', () => {
  const nodes = [
    {
      ...{ id: 'approve', name: 'Approve', type: 'human_review' },
      review: {
        ...{ deadline_seconds: 86_400, default: { decision: 'reject' }, on_reject: 'complete' },
        response_schema: {
          ...{ type: 'object', required: ['verdict', 'copies'], additionalProperties: false },
          properties: {
            verdict: { enum: ['approve', 'revise', 'reject'] },
            copies: { type: 'integer', minimum: 1 },
          },
        },
      },
    },
    ...['approve', 'revise', 'reject'].map((verdict) => ({
      ...{ id: verdict + '_it', name: verdict, type: 'custom', run: 'false', dependencies: ['approve'] },
      condition: `outputs.approve.decision == 'approved' && outputs.approve.response.verdict == '${verdict}'`,
    })),
    {
      ...{ id: 'paid', name: 'Paid', type: 'custom' },
      wait_for: {
        signal: 'paid',
        schema: { type: 'object', required: ['amount'] },
        deadline_seconds: 60,
        default: { amount: 0 },
      },
    },
    { id: 'monday', name: 'Monday', type: 'custom', wait_until: { time: '2031-03-03T08:00:00Z' } },
    { id: 'breathe', name: 'Breathe', type: 'custom', dependencies: ['monday'], sleep: { seconds: 604_800 } },
  ];
  const workflow = workflowFromSpec({ workflow: { id: 'w', name: 'W', on_failure: 'continue' }, nodes });

  it('get answers of every kind that fit their schemas, and pass in simulated time', async () => {
    const report = await simulateWorkflow(workflow);
    expect(report).toMatchObject({ surprises: [], unreachable: [], ends: { completed: 100 } });
    // It begins an hour before the moment, and then sleeps for a week.
    expect(report.makespan_seconds).toMatchObject({ min: { seconds: 608_400 }, max: { seconds: 608_400 } });
  });

  it('are left unanswered by the fault, and by what is declared; crashes lose no answer', async () => {
    const report = await simulateWorkflow(workflow, { faults: ['timeout', 'crash'] });
    expect(report).toMatchObject({ surprises: [], ends: { completed: 100 } });
    expect(report.struck.timeout).toBeGreaterThan(0);
    expect(report.struck.crash).toBeGreaterThan(0);
    const silent = await simulateWorkflow(workflow, {
      ...{
        seeds: 1,
        outcomes: { paid: { unanswered_rate: 1 }, approve: { decisions: ['reject'], duration_seconds: 5 } },
      },
    });
    const told = silent.story!.map(({ at_seconds, text }) => `${at_seconds} ${text}`);
    expect(told).toContain('60 paid completes: {"amount":0}');
    expect(told.find((line) => line.startsWith('5 approve completes'))).toMatch(/"decision":"rejected"/);
  });
});

describe('parallel groups', () => {
  const member = (id: string, simulate: object = {}) => ({
    ...{ id, name: id, type: 'custom', metadata: { simulate } },
  });
  const workflow = workflowFromSpec({
    workflow: { id: 'w', name: 'W' },
    nodes: [
      {
        ...{ id: 'group', name: 'Group', type: 'parallel_group', members: ['flaky', 'wait', 'made'] },
        supervision: { strategy: 'one_for_all', max_restarts: 50 },
      },
      { ...member('flaky', { failure_rate: 0.6, duration_seconds: [20, 40] }), run: 'false' },
      { ...member('wait', { duration_seconds: 10 }), wait_for: { signal: 'go' } },
      { ...member('made'), run: 'false' },
      {
        ...{ ...member('after'), run: 'false', dependencies: ['group'] },
        condition: 'outputs.group.made.port > 8000 && outputs.group.flaky == {}',
      },
    ],
  });

  it('restart their members, whose waits are answered anew; conditions read their members', async () => {
    const report = await simulateWorkflow(workflow, { faults: ['crash'] });
    expect(report).toMatchObject({ surprises: [], unreachable: [], ends: { completed: 100 } });
    const stories = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((firstSeed) => simulateWorkflow(workflow, { seeds: 1, firstSeed })),
    );
    for (const { story } of stories) {
      const told = story!.map(({ text }) => text);
      const times = (pattern: RegExp): number => told.filter((text) => pattern.test(text)).length;
      expect(times(/^wait waits/)).toBe(1 + times(/^group restarts members/));
      expect(times(/^signal go arrives/)).toBe(times(/^wait completes/));
      expect(times(/^flaky fails \(as declared\)/)).toBe(times(/^flaky fails/));
    }
  });
});
