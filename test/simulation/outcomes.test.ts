import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isMaestroError, type MaestroError } from '../../src/base/errors.js';
import { simulateWorkflow, type SimulationOptions } from '../../src/simulation/index.js';
import { workflowFromSpec, type Workflow } from '../../src/spec/index.js';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'maestro-outcomes-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function workflow(simulate?: unknown): Workflow {
  return workflowFromSpec({
    workflow: { id: 'w', name: 'W' },
    nodes: [
      { id: 'step', name: 'Step', type: 'custom', run: 'false', metadata: { simulate } },
      {
        id: 'ask',
        name: 'Ask',
        type: 'human_review',
        review: { response_schema: { type: 'object', required: ['n'] } },
      },
      { id: 'go', name: 'Go', type: 'custom', wait_for: { signal: 'go', schema: { type: 'integer' } } },
      { id: 'nap', name: 'Nap', type: 'custom', sleep: { seconds: 1 } },
    ],
  });
}

async function problemsOf(options: SimulationOptions, simulate?: unknown): Promise<MaestroError> {
  const error: unknown = await simulateWorkflow(workflow(simulate), { seeds: 1, ...options }).catch(
    (e: unknown) => e,
  );
  if (!isMaestroError(error, 'OUTCOMES_INVALID'))
    throw new Error(`it was not refused: ${JSON.stringify(error)}`);
  expect(error.exitCode).toBe(2);
  return error;
}

describe('declared outcomes', () => {
  it.each([
    [{ step: { duration_seconds: -1 } }, /step.*duration_seconds.*>= 0/],
    [{ step: { duration_seconds: [1, 2, 3] } }, /duration_seconds.*2 items/],
    [{ step: { duration_seconds: [5, 1] } }, /a span, the shorter one first/],
    [{ step: { failure_rate: 1.5 } }, /failure_rate.*<= 1/],
    [{ step: { failure: 1 } }, /additional properties: failure/],
    [{ step: { output: 1, outputs: [2] } }, /both "output" and "outputs"/],
    [{ step: { outputs: [] } }, /outputs.*1 items/],
    [{ step: { error: { kind: 'x' } } }, /additional properties: kind/],
    [{ step: { error: '' } }, /error.*1 char/],
    [{ step: { decision: 'approve' } }, /is a step: "decision" has no meaning here/],
    [{ ask: { failure_rate: 0.5 } }, /is a review: "failure_rate" has no meaning/],
    [{ ask: { decision: 'maybe' } }, /decision.*approve, reject/],
    [{ ask: { output: { m: 1 } } }, /an output would be refused as an answer.*'n'/],
    [{ go: { outputs: [1, 'x'] } }, /an output would be refused as an answer.*integer/],
    [{ go: { decision: 'approve' } }, /is a wait for a signal/],
    [{ nap: { duration_seconds: 1 } }, /a wait that ends by itself/],
    [{ stepp: {} }, /there is no node "stepp" \(did you mean "step"\?\)/],
    [{ step: 5 }, /must be object/],
    [[], /outcomes are an object/],
  ])('are refused when they are wrong: %o', async (outcomes, message) => {
    expect((await problemsOf({ outcomes: outcomes as never })).message).toMatch(message);
  });

  it('tell every problem, those in the workflow by their node', async () => {
    const { problems } = await problemsOf({ outcomes: { step: { failure_rate: 2 }, nowhere: {} } });
    expect(problems).toMatchObject([{ node_id: 'step' }, { message: 'there is no node "nowhere"' }]);
    const inSpec = await problemsOf({}, { failure_rate: 2 });
    expect(inSpec.message).toMatch(/^metadata\.simulate: node "step"/);
  });

  it('of a file have places, and the file wins key by key', async () => {
    const wrong = file('wrong.yaml', 'step:\n  failure_rate: 0.1\nask: { decision: maybe }\n');
    expect((await problemsOf({ outcomesFile: wrong })).problems).toMatchObject([
      { file: wrong, line: 3, column: 1 },
    ]);
    const right = file('right.json', '{"step": {"failure_rate": 1}, "go": {"output": 7}}');
    const simulate = { duration_seconds: 12, failure_rate: 0, error: 'out of paper' };
    const { story } = await simulateWorkflow(workflow(simulate), { seeds: 1, outcomesFile: right });
    expect(story).toContainEqual({ at_seconds: 12, text: 'step fails (as declared): out of paper' });
  });

  it('say what an attempt fails with, which retries look at', async () => {
    const fail = async (error: object): Promise<number[]> => {
      const simulate = { duration_seconds: 10, failure_rate: 1, error };
      const spec = { id: 'a', name: 'A', type: 'custom', run: 'false', metadata: { simulate } };
      const retry_policy = { max_attempts: 2, retry_delay_seconds: 1, non_retryable: ['Hopeless'] };
      const nodes = [{ ...spec, retry_policy }];
      const flow = workflowFromSpec({ workflow: { id: 'w', name: 'W' }, nodes });
      const { story } = await simulateWorkflow(flow, { seeds: 1 });
      return story!.filter(({ text }) => /^a starts/.test(text)).map(({ at_seconds }) => at_seconds);
    };
    expect(await fail({ name: 'Flaky' })).toEqual([0, 11]);
    expect(await fail({ name: 'Hopeless' })).toEqual([0]);
    expect(await fail({ code: 'BUSY', details: { retry_after_seconds: 30 } })).toEqual([0, 40]);
  });

  it.each([
    ['missing.yaml', undefined, /there is no file/],
    ['broken.yaml', 'step: [', /broken\.yaml:\d+:\d+/],
    ['twice.json', '{"step": {}, "step": {}}', /step/],
    ['empty.yaml', '', /empty/],
    ['outcomes.txt', 'x', /not a workflow file by its name|\.yaml/],
  ])('of a file that cannot be used: %s', async (name, text, message) => {
    const path = text === undefined ? join(folder, name) : file(name, text);
    expect((await problemsOf({ outcomesFile: path })).message).toMatch(message);
  });

  it('fit the schemas of all nodes that wait for the same signal, and so do those that are made up', async () => {
    const twice = workflowFromSpec({
      workflow: { id: 'w', name: 'W' },
      nodes: [
        {
          id: 'one',
          name: 'One',
          type: 'custom',
          wait_for: { signal: 'go', schema: { type: ['integer', 'string'] } },
        },
        {
          id: 'two',
          name: 'Two',
          type: 'custom',
          wait_for: { signal: 'go', schema: { type: ['integer', 'null'] } },
        },
      ],
    });
    const report = await simulateWorkflow(twice, { seeds: 20, faults: ['crash'] });
    expect(report).toMatchObject({ surprises: [], ends: { completed: 20 } });
    await expect(simulateWorkflow(twice, { outcomes: { one: { output: 'x' } } })).rejects.toMatchObject({
      ...{ code: 'OUTCOMES_INVALID', message: expect.stringMatching(/refused as an answer/) as string },
    });
    const large = 'x'.repeat(70_000);
    await expect(simulateWorkflow(twice, { outcomes: { one: { output: large } } })).rejects.toMatchObject({
      message: expect.stringMatching(/more than 65536 bytes/) as string,
    });
  });

  it('must be given where no answer can be made up', async () => {
    const impossible = workflowFromSpec({
      workflow: { id: 'w', name: 'W' },
      nodes: [{ id: 'go', name: 'Go', type: 'custom', wait_for: { signal: 'go', schema: { not: {} } } }],
    });
    await expect(simulateWorkflow(impossible)).rejects.toMatchObject({
      ...{ code: 'OUTCOMES_INVALID', message: expect.stringMatching(/no value was found.*"go"/) as string },
    });
  });
});
