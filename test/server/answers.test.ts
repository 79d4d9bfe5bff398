import { afterEach, describe, expect, it } from 'vitest';
import { createRuntime, defineWorkflow, type Runtime } from '../../src/runtime/index.js';
import { createService, type Service } from '../../src/server/index.js';

const opened: { service: Service; runtime: Runtime }[] = [];
afterEach(async () => {
  for (const { service, runtime } of opened.splice(0)) {
    await service.close();
    await runtime.close({ drainMs: 0 });
  }
});

type Json = Record<string, unknown>;

/** A service with an execution `e` that waits for a review, then for a signal. */
async function waiting() {
  const runtime = await createRuntime({ store: 'memory:' });
  const workflow = defineWorkflow({ id: 'waiting' })
    .node('ok', { review: { responseSchema: { type: 'object', required: ['n'] } } })
    .node('go', { dependsOn: ['ok'], waitFor: { signal: 'go', schema: { type: 'integer' } } })
    .build();
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const service = await createService({ runtime, workflows: [workflow], logger, version: '1.2.3' });
  opened.push({ service, runtime });
  const ask = async (method: 'GET' | 'POST', url: string, payload?: object) => {
    const answer = await service.app.inject({ method, url, payload });
    return { status: answer.statusCode, body: JSON.parse(answer.body) as Json };
  };
  const execution = await runtime.start(workflow, {}, { executionId: 'e' });
  return { ask, result: execution.result };
}

const REVIEW = '/api/executions/e/nodes/ok/review';
const SIGNALS = '/api/executions/e/signals';

describe('reviews and signals over HTTP', () => {
  it('are listed, commented on, decided and sent', async () => {
    const { ask, result } = await waiting();
    expect(await ask('GET', '/api/reviews')).toMatchObject({
      status: 200,
      body: { reviews: [{ execution_id: 'e', node_id: 'ok', deadline: null, comments: [] }] },
    });
    expect(await ask('POST', REVIEW, { comment: 'hm', reviewer: 'ada' })).toMatchObject({
      status: 202,
      body: {
        status: 'running',
        metadata: { waiting_for: { kind: 'review' }, comments: [{ comment: 'hm' }] },
      },
    });
    const signal = { name: 'go', payload: 5, signal_id: 's' };
    for (let i = 0; i < 2; i++)
      expect(await ask('POST', SIGNALS, signal)).toEqual({
        status: 202,
        body: { execution_id: 'e', name: 'go', signal_id: 's' },
      });
    const approval = { decision: 'approve', response: { n: 1 }, reviewer: 'ada' };
    expect(await ask('POST', REVIEW, approval)).toMatchObject({
      status: 202,
      body: { status: 'completed', output: { decision: 'approved', response: { n: 1 } } },
    });
    expect((await result).status).toBe('completed');
    expect((await ask('GET', '/api/executions/e/nodes/go')).body).toMatchObject({ output: 5 });
    expect((await ask('GET', '/api/reviews?execution_id=e')).body).toEqual({ reviews: [] });
  });

  it('are refused with every problem, and change nothing', async () => {
    const { ask } = await waiting();
    const before = await ask('GET', '/api/executions/e');
    expect(await ask('POST', REVIEW, { decision: 'approve', response: {} })).toMatchObject({
      status: 400,
      body: { error: { code: 'PAYLOAD_INVALID', problems: [{ message: expect.any(String) as string }] } },
    });
    const refused: [string, object, number][] = [
      [REVIEW, { decision: 'maybe' }, 400],
      [REVIEW, {}, 400],
      [REVIEW, { decision: 'approve', response: { n: 1 }, extra: 1 }, 400],
      ['/api/executions/e/nodes/nope/review', { comment: 'x' }, 404],
      ['/api/executions/e/nodes/go/review', { comment: 'x' }, 409],
      ['/api/executions/nope/nodes/ok/review', { comment: 'x' }, 404],
      [SIGNALS, { name: 'go', payload: 'x' }, 400],
      [SIGNALS, { name: 'og' }, 404],
      [SIGNALS, {}, 400],
      ['/api/executions/nope/signals', { name: 'go', payload: 1 }, 404],
    ];
    for (const [url, body, status] of refused)
      expect((await ask('POST', url, body)).status, JSON.stringify(body)).toBe(status);
    expect(await ask('GET', '/api/executions/e')).toEqual(before);
  });
});
