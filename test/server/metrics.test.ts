import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { defineWorkflow, metricsText, type Runtime } from '../../src/runtime/index.js';
import { services } from './support/open-service.js';

const open = services();
const flaky = defineWorkflow({ id: 'flaky', onFailure: 'continue' })
  .node('good', { execute: () => ({ ok: true }) })
  .node('bad', {
    execute: () => {
      throw new Error('no');
    },
    retry: { maxAttempts: 3, delaySeconds: 0 },
  })
  .node('after', { dependsOn: ['bad'], execute: () => null })
  .build();
function waiting() {
  let begin: () => void = () => {};
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const workflow = defineWorkflow({ id: 'waiting' })
    .node('waits', {
      execute: ({ signal }) =>
        new Promise<never>((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('stopped')));
          begin();
        }),
    })
    .build();
  return { workflow, begun };
}

/** Every sample by its name and labels, as the text has them. */
function samplesOf(text: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end).replace('+Inf', 'Infinity'))];
    }),
  );
}

async function run(runtime: Runtime, times: number): Promise<void> {
  for (let k = 0; k < times; k++) await (await runtime.start(flaky)).result;
}

describe('/metrics', () => {
  it('tells of queues, and sums up those that nobody has configured', async () => {
    const { runtime, get } = await open({}, { queues: { gpu: 2, api: { rate: '1000/s' } } });
    await runtime.queues.set('tape', { slots: 1 });
    let letIn!: () => void;
    const gate = new Promise<void>((resolve) => (letIn = resolve));
    const builder = defineWorkflow<Record<string, unknown>>({ id: 'queued' });
    for (const [name, count] of [
      ['gpu', 3],
      ['tape', 2],
      ['new1', 2],
      ['new2', 3],
    ] as const)
      for (let n = 0; n < count; n++) builder.node(`${name}-${n}`, { queue: name, execute: () => gate });
    const { id, result } = await runtime.start(builder.build());
    await expect.poll(async () => (await runtime.get(id))!.node_states['gpu-1'].status).toBe('running');
    const samples = samplesOf((await get('/metrics')).body);
    const queues = Object.entries(samples).filter(([name]) => name.startsWith('maestro_queue_'));
    expect(Object.fromEntries(queues)).toEqual({
      'maestro_queue_slots{queue="api"}': Infinity,
      'maestro_queue_slots{queue="gpu"}': 2,
      'maestro_queue_slots{queue="tape"}': 1,
      'maestro_queue_slots_used{queue="api"}': 0,
      'maestro_queue_slots_used{queue="gpu"}': 2,
      'maestro_queue_slots_used{queue="tape"}': 1,
      'maestro_queue_slots_used{queue="(not configured)"}': 2,
      'maestro_queue_waiting_nodes{queue="api"}': 0,
      'maestro_queue_waiting_nodes{queue="gpu"}': 1,
      'maestro_queue_waiting_nodes{queue="tape"}': 1,
      'maestro_queue_waiting_nodes{queue="(not configured)"}': 3,
    });
    letIn();
    await result;
  });

  it('tells what ran, what failed and what waits', async () => {
    const { runtime, get } = await open({}, { concurrency: 1, maxActiveExecutions: 1 });
    await run(runtime, 2);
    const { workflow, begun } = waiting();
    await runtime.start(workflow);
    await runtime.start(workflow);
    await begun;
    const samples = samplesOf((await get('/metrics')).body);
    expect(samples).toMatchObject({
      'maestro_executions{status="failed"}': 2,
      'maestro_executions{status="running"}': 1,
      'maestro_executions{status="pending"}': 1,
      maestro_executions_started_total: 3,
      'maestro_executions_ended_total{status="failed"}': 2,
      maestro_active_executions: 1,
      maestro_waiting_executions: 1,
      maestro_node_attempts_total: 9,
      maestro_node_retries_total: 4,
      'maestro_nodes_ended_total{status="completed"}': 2,
      'maestro_nodes_ended_total{status="failed"}': 2,
      'maestro_nodes_ended_total{status="blocked"}': 2,
      'maestro_node_duration_seconds_count{outcome="completed"}': 2,
      'maestro_node_duration_seconds_count{outcome="failed"}': 6,
      'maestro_running_nodes{worker="inline"}': 1,
      'maestro_workers_busy{worker="inline"}': 1,
      'maestro_workers_limit{worker="inline"}': 100,
      'maestro_commits_total{result="failed"}': 0,
      'maestro_health_degraded{check="store"}': 0,
      'maestro_build_info{version="1.2.3"}': 1,
    });
    expect(samples.maestro_commit_duration_seconds_count).toBe(samples['maestro_commits_total{result="ok"}']);
    expect(samples.maestro_commit_rows_sum).toBeGreaterThan(samples.maestro_commit_rows_count);
    expect(samples.process_start_time_seconds).toBeGreaterThan(0);
    expect(samples).toHaveProperty('nodejs_eventloop_lag_p99_seconds');
  });

  it('makes no series of what ran: ids are in no label', async () => {
    const { runtime, get } = await open();
    const executions = '/api/executions/';
    await run(runtime, 1);
    await get(`${executions}some-id`);
    await get('/no/such/path/1');
    const before = Object.keys(samplesOf((await get('/metrics')).body));
    await run(runtime, 5);
    for (const id of ['some-id', 'other-id', 'third-id']) await get(executions + id);
    for (let k = 2; k < 9; k++) await get(`/no/such/path/${k}`);
    // The first answer has counted itself by now.
    const counted = Object.keys(samplesOf((await get('/metrics')).body));
    const after = counted.filter((name) => !name.includes('route="/metrics"'));
    expect(after.sort()).toEqual(before.sort());
    expect(after.some((name) => name.includes('route="none"'))).toBe(true);
    expect(after.some((name) => name.includes('route="/api/executions/:'))).toBe(true);
    expect(after.filter((name) => /flaky|-id|path/.test(name))).toEqual([]);
  });

  it('counts no stream as a request that took as long as somebody listened', async () => {
    const { runtime, get, service } = await open({ port: 0 });
    const { id, result } = await runtime.start(flaky);
    await result;
    const stream = await get(`/api/executions/${id}/events`, { accept: 'text/event-stream' });
    expect(stream.body).toContain('node_failed');
    const socket = new WebSocket(`${(await service.listen()).replace('http', 'ws')}/ws/workflow/flaky`);
    await once(socket, 'open');
    socket.close();
    await once(socket, 'close');
    await get('/health');
    const routes = Object.keys(samplesOf((await get('/metrics')).body)).filter((name) =>
      name.includes('route='),
    );
    expect(routes.some((name) => name.includes('/health'))).toBe(true);
    expect(routes.filter((name) => /events|ws/.test(name))).toEqual([]);
  });

  it('needs a token that may read, when there are tokens', async () => {
    const token = 'read-token-0123456789';
    const { get } = await open({ tokens: [{ scope: 'read', token }] });
    expect((await get('/metrics')).status).toBe(401);
    const answer = await get('/metrics', { authorization: `Bearer ${token}` });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  it('is answered while the store cannot be read', async () => {
    const { runtime, get } = await open();
    await run(runtime, 1);
    await runtime.close();
    const { status, body } = await get('/metrics');
    expect(status).toBe(200);
    expect(samplesOf(body)).toMatchObject({
      'maestro_nodes_ended_total{status="completed"}': 1,
      'maestro_health_degraded{check="store"}': 1,
    });
  });
});

describe('the text for users of the library', () => {
  it('has the runtime alone', async () => {
    const { runtime } = await open();
    await run(runtime, 1);
    const text = await metricsText(() => runtime.metrics());
    expect(samplesOf(text)).toMatchObject({ maestro_node_attempts_total: 4 });
    expect(text).not.toContain('process_');
    // Every metric has its HELP and TYPE, once.
    const names = [...text.matchAll(/^# (HELP|TYPE) (\S+)/gm)].map(([, kind, name]) => `${kind} ${name}`);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => name.startsWith('HELP'))).toHaveLength(names.length / 2);
  });
});
