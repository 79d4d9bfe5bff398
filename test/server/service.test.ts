import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { createRuntime, defineWorkflow, type Runtime } from '../../src/runtime/index.js';
import { createService, type Service, type ServiceOptions } from '../../src/server/index.js';
import { tempDirs } from '../support/temp-dir.js';

const tempDir = tempDirs('maestro-service');
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const READ = 'read-token-0123456789';
const WRITE = 'write-token-0123456789';
const TOKENS = [
  { scope: 'read', token: READ },
  { scope: 'write', token: WRITE },
] as const;

const opened: { service: Service; runtime: Runtime }[] = [];
afterEach(async () => {
  for (const { service, runtime } of opened.splice(0)) {
    await service.close();
    await runtime.close({ drainMs: 0 });
  }
});

function workflows() {
  const node = { execute: ({ globalContext }: { globalContext: object }) => globalContext };
  const sdlc = (type: string) =>
    defineWorkflow({ id: `sdlc-${type}` })
      .node('one', node)
      .build();
  const failing = defineWorkflow({ id: 'failing' })
    .node('bad', {
      execute: () => {
        throw new Error('no');
      },
    })
    .build();
  const waiting = defineWorkflow({ id: 'waiting' })
    .node('waits', {
      execute: ({ signal }) =>
        new Promise<never>((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('stopped')));
        }),
    })
    .build();
  return [sdlc('linear'), sdlc('parallel'), failing, waiting];
}

async function open(options: Partial<ServiceOptions> = {}) {
  const runtime = await createRuntime({ store: 'memory:', pool: { graceMs: 10 } });
  const service = await createService({
    runtime,
    workflows: workflows(),
    logger: silent,
    version: '1.2.3',
    ...options,
  });
  opened.push({ service, runtime });
  const ask = async (method: 'GET' | 'POST' | 'DELETE', url: string, body?: object, headers: object = {}) => {
    const { app } = service;
    const answer = await app.inject({ method, url, headers: { ...headers }, ...(body && { payload: body }) });
    const text = answer.body;
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: text === '' ? null : (JSON.parse(text) as Json),
    };
  };
  return { service, runtime, ask };
}
type Json = Record<string, unknown> & { error?: { code: string; message: string } };

async function ended(ask: Awaited<ReturnType<typeof open>>['ask'], id: string): Promise<Json> {
  for (;;) {
    const { body } = await ask('GET', `/api/executions/${id}`);
    if (body!.status !== 'running' && body!.status !== 'pending') return body!;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('starting and looking', () => {
  it('starts an SDLC workflow and tells its state in the canonical shapes', async () => {
    const { ask } = await open();
    const started = await ask('POST', '/api/workflows', { requirement: 'A shop', workflow_type: 'linear' });
    expect(started).toMatchObject({ status: 201, body: { workflow_id: 'sdlc-linear', status: 'running' } });
    const id = started.body!.execution_id as string;
    expect(await ended(ask, id)).toMatchObject({
      execution_id: id,
      workflow_id: 'sdlc-linear',
      status: 'completed',
      completed_nodes: 1,
      total_nodes: 1,
      progress_percent: 100,
      node_states: [{ node_id: 'one', status: 'completed', attempt_count: 1 }],
      started_at: expect.any(String) as string,
      completed_at: expect.any(String) as string,
    });
    expect((await ask('GET', `/api/workflows/${id}`)).body).toMatchObject({
      status: 'completed',
      completed_nodes: 1,
    });
    expect((await ask('GET', `/api/executions/${id}/nodes/one`)).body).toMatchObject({
      output: { requirement: 'A shop' },
    });
    expect((await ask('GET', `/api/executions/${id}/document`)).body).toMatchObject({
      global_context: { requirement: 'A shop' },
    });
    expect((await ask('DELETE', `/api/executions/${id}`)).status).toBe(204);
    expect((await ask('GET', `/api/executions/${id}`)).status).toBe(404);
  });

  it.each([
    [{ requirement: '', workflow_type: 'linear' }],
    [{ requirement: 'x'.repeat(10_001), workflow_type: 'linear' }],
    [{ requirement: 'x', workflow_type: 'round' }],
    [{ requirement: 'x' }],
    [{ requirement: 'x', workflow_type: 'linear', name: 'x'.repeat(256) }],
    [{ requirement: 'x', workflow_type: 'linear', surprise: 1 }],
  ])('refuses %j', async (body) => {
    const { ask } = await open();
    expect(await ask('POST', '/api/workflows', body)).toMatchObject({
      status: 400,
      body: { error: { code: 'REQUEST_INVALID' } },
    });
  });

  it('starts a registered workflow once under an id of the caller', async () => {
    const { ask } = await open();
    const body = { execution_id: 'mine', context: { a: 1 } };
    expect((await ask('POST', '/api/workflows/sdlc-linear/execute', body)).status).toBe(201);
    await ended(ask, 'mine');
    expect(await ask('POST', '/api/workflows/sdlc-linear/execute', body)).toMatchObject({
      status: 200,
      body: { execution_id: 'mine', status: 'completed' },
    });
    expect(await ask('POST', '/api/workflows/sdlc-parallel/execute', body)).toMatchObject({
      status: 409,
      body: { error: { code: 'EXECUTION_EXISTS' } },
    });
    expect((await ask('POST', '/api/workflows/nope/execute', {})).status).toBe(404);
  });

  it('pages through executions', async () => {
    const { ask } = await open();
    for (const id of ['a', 'b', 'c']) {
      await ask('POST', '/api/workflows/sdlc-linear/execute', { execution_id: id });
      await ended(ask, id);
    }
    const ids = ({ executions }: Json) => (executions as Json[]).map(({ execution_id }) => execution_id);
    const first = (await ask('GET', '/api/executions?limit=2')).body!;
    expect(ids(first)).toEqual(['c', 'b']);
    expect(ids((await ask('GET', `/api/executions?limit=2&after=${String(first.next)}`)).body!)).toEqual([
      'a',
    ]);
    expect(ids((await ask('GET', '/api/executions?status=failed')).body!)).toEqual([]);
    for (const query of ['limit=0', 'limit=x', 'status=odd', 'since=later', 'after=%00', 'odd=1'])
      expect((await ask('GET', `/api/executions?${query}`)).status, query).toBe(400);
  });
});

describe('steering', () => {
  it('cancels by execution and by workflow, and retries', async () => {
    const { ask } = await open();
    for (const execution_id of ['w1', 'w2', 'w3'])
      await ask('POST', '/api/workflows/waiting/execute', { execution_id });
    expect(((await ask('GET', '/api/workflows/active')).body!.workflows as Json[]).length).toBe(3);
    expect((await ask('POST', '/api/executions/w1/cancel')).status).toBe(202);
    expect((await ask('POST', '/api/workflows/w2/cancel')).body).toEqual({ cancelled: ['w2'] });
    expect((await ask('POST', '/api/workflows/waiting/cancel')).body).toEqual({ cancelled: ['w3'] });
    expect((await ended(ask, 'w3')).status).toBe('cancelled');
    expect(await ask('POST', '/api/executions/w1/cancel')).toMatchObject({
      status: 409,
      body: { error: { code: 'EXECUTION_STATE' } },
    });
    await ask('POST', '/api/workflows/failing/execute', { execution_id: 'f' });
    expect(await ended(ask, 'f')).toMatchObject({ status: 'failed', failed_node: 'bad' });
    expect((await ask('POST', '/api/executions/f/retry')).status).toBe(202);
    expect((await ended(ask, 'f')).status).toBe('failed');
    expect((await ask('POST', '/api/executions/f/resume')).status).toBe(409);
    for (const verb of ['pause', 'resume', 'cancel', 'retry'])
      expect((await ask('POST', `/api/executions/nope/${verb}`)).status, verb).toBe(404);
  });

  it('forks an execution, and refuses what is no fork', async () => {
    const { ask } = await open();
    await ask('POST', '/api/workflows/sdlc-linear/execute', { execution_id: 'f' });
    await ended(ask, 'f');
    const path = '/api/executions/f/fork';
    expect(await ask('POST', path, { from: ['one'], execution_id: 'g' })).toMatchObject({
      status: 201,
      body: { execution_id: 'g', status: 'running' },
    });
    expect((await ended(ask, 'g')).status).toBe('completed');
    expect((await ask('POST', path, { from: ['one'], execution_id: 'g' })).status).toBe(409);
    expect((await ask('POST', path, { from: ['none'] })).status).toBe(404);
    expect((await ask('POST', path, { from: [] })).status).toBe(400);
  });

  it('runs one node again, with or without what depends on it', async () => {
    const { ask } = await open();
    await ask('POST', '/api/workflows/sdlc-linear/execute', { execution_id: 'r' });
    await ended(ask, 'r');
    const path = '/api/executions/r/nodes/one/rerun';
    for (const [body, run] of [
      [undefined, 1],
      [{ cascade: false }, 2],
    ] as const) {
      expect(await ask('POST', path, body)).toMatchObject({ status: 202, body: { execution_id: 'r' } });
      expect((await ended(ask, 'r')).status).toBe('completed');
      expect((await ask('GET', '/api/executions/r/nodes/one')).body).toMatchObject({ metadata: { run } });
    }
    expect((await ask('POST', '/api/executions/r/nodes/two/rerun')).status).toBe(404);
    expect((await ask('POST', '/api/executions/s/nodes/one/rerun')).status).toBe(404);
    expect((await ask('POST', path, { cascade: 'yes', more: 1 })).status).toBe(400);
    await ask('POST', '/api/workflows/waiting/execute', { execution_id: 'w' });
    expect(await ask('POST', '/api/executions/w/nodes/waits/rerun')).toMatchObject({
      status: 409,
      body: { error: { code: 'EXECUTION_STATE' } },
    });
  });

  it('takes nothing in while it drains', async () => {
    const { service, ask } = await open();
    expect((await ask('GET', '/health/ready')).status).toBe(200);
    service.drain();
    expect(await ask('POST', '/api/workflows', { requirement: 'x', workflow_type: 'linear' })).toMatchObject({
      status: 503,
      headers: { 'retry-after': '5' },
      body: { error: { code: 'DRAINING' } },
    });
    expect(await ask('GET', '/health/ready')).toMatchObject({
      status: 503,
      body: { reasons: ['shutting down'] },
    });
    expect((await ask('GET', '/health/live')).status).toBe(200);
  });
});

describe('health', () => {
  it('is healthy, and degraded with reasons', async () => {
    const { ask } = await open();
    expect((await ask('GET', '/health')).body).toMatchObject({ status: 'healthy', reasons: [] });
    const lost = await open({ storePath: join(tempDir(), 'gone') });
    expect((await lost.ask('GET', '/health')).body).toMatchObject({
      status: 'degraded',
      reasons: [expect.stringMatching(/^disk: ENOENT/)],
    });
    const closed = await open();
    await closed.runtime.close();
    expect((await closed.ask('GET', '/health')).body).toMatchObject({
      status: 'degraded',
      reasons: [expect.stringMatching(/^store: /)],
    });
  });
});

describe('security', () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  it('needs tokens, of the right scope, for everything but health and the description of the API', async () => {
    const { ask } = await open({ tokens: TOKENS, host: '0.0.0.0' });
    for (const open of ['/health', '/openapi.json', '/docs/json'])
      expect((await ask('GET', open)).status, open).toBe(200);
    for (const headers of [
      {},
      bearer('wrong-token-0123456789'),
      { authorization: `Basic ${READ}` },
      bearer(''),
    ]) {
      expect(await ask('GET', '/api/executions', undefined, headers)).toMatchObject({
        status: 401,
        headers: { 'www-authenticate': 'Bearer' },
      });
    }
    expect((await ask('GET', '/nope', undefined, {})).status).toBe(401);
    expect((await ask('GET', '/api/executions', undefined, bearer(READ))).status).toBe(200);
    expect((await ask('GET', '/api/executions', undefined, bearer(WRITE))).status).toBe(200);
    const body = { requirement: 'x', workflow_type: 'linear' };
    expect((await ask('POST', '/api/workflows', body, bearer(READ))).status).toBe(403);
    expect((await ask('POST', '/api/workflows', body, bearer(WRITE))).status).toBe(201);
  });

  it('refuses to listen to others without tokens, or with short ones', async () => {
    await expect(open({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'SERVICE_INSECURE' });
    await expect(open({ host: '127.0.0.1.evil.example' })).rejects.toMatchObject({
      code: 'SERVICE_INSECURE',
    });
    await expect(open({ tokens: [{ scope: 'read', token: 'short' }] })).rejects.toMatchObject({
      code: 'SERVICE_INSECURE',
    });
  });

  it('answers without tokens to this machine only, and to no page from elsewhere', async () => {
    const { ask } = await open();
    for (const host of ['localhost:8000', '127.0.0.1', '[::1]:8000'])
      expect((await ask('GET', '/api/executions', undefined, { host })).status, host).toBe(200);
    expect((await ask('GET', '/api/executions', undefined, { host: 'evil.example' })).status).toBe(403);
    const body = { requirement: 'x', workflow_type: 'linear' };
    const from = (origin: string) => ask('POST', '/api/workflows', body, { origin });
    expect((await from('https://evil.example')).status).toBe(403);
    expect((await from('null')).status).toBe(403);
    expect((await from('http://localhost:3000')).status).toBe(201);
  });

  it('limits bodies, types and rates', async () => {
    const { ask, service } = await open({ maxBodyBytes: 1000, requestsPerMinute: 5 });
    expect((await ask('POST', '/api/workflows', { requirement: 'x'.repeat(2000) })).status).toBe(413);
    const raw = (payload: string, type: string) =>
      service.app.inject({
        method: 'POST',
        url: '/api/workflows',
        payload,
        headers: { 'content-type': type },
      });
    expect((await raw('{', 'application/json')).statusCode).toBe(400);
    expect((await raw('{"__proto__":{"x":1}}', 'application/json')).statusCode).toBe(400);
    expect((await raw('a=1', 'application/x-www-form-urlencoded')).statusCode).toBe(415);
    const rest = [];
    for (let i = 0; i < 4; i++) rest.push(await ask('GET', '/api/executions'));
    expect(rest.at(-1)).toMatchObject({ status: 429, body: { error: { code: 'RATE_LIMITED' } } });
    expect((await ask('GET', '/health')).status).toBe(200);
  });

  it('answers anything with an error of one shape, never with 500', async () => {
    const { service } = await open();
    const part = fc.oneof(
      fc.constantFrom(
        'api',
        'executions',
        'workflows',
        'execute',
        'cancel',
        'nodes',
        '..',
        '%2e%2e',
        '%00',
        '__proto__',
        'constructor',
      ),
      fc.string({ maxLength: 8 }).map(encodeURIComponent),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET' as const, 'POST' as const, 'DELETE' as const, 'PUT' as const),
        fc.array(part, { maxLength: 5 }),
        fc.option(fc.oneof(fc.json(), fc.string())),
        async (method, parts, payload) => {
          const answer = await service.app.inject({
            method,
            url: `/${parts.join('/')}`,
            ...(payload !== null && { payload, headers: { 'content-type': 'application/json' } }),
          });
          expect(answer.statusCode).toBeLessThan(500);
          if (answer.statusCode < 400) return;
          const { error } = JSON.parse(answer.body) as Json;
          expect(Object.keys(error!)).toEqual(expect.arrayContaining(['code', 'message']));
          expect(answer.body).not.toMatch(/\bat .*:\d+:\d+/);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('/openapi.json', () => {
  it.each([
    ['without tokens', {}, {}],
    ['with tokens', { tokens: TOKENS }, { authorization: `Bearer ${READ}` }],
  ])('is clean by a linter, %s', async (_, options, headers) => {
    const { ask } = await open(options);
    const { body } = await ask('GET', '/openapi.json', undefined, headers);
    expect(body).toMatchObject({ info: { title: 'maestro-dag', version: '1.2.3' } });
    const folder = tempDir();
    writeFileSync(join(folder, 'openapi.json'), JSON.stringify(body));
    const linter = join(import.meta.dirname, '../../node_modules/.bin/redocly');
    const out = execFileSync(linter, ['lint', '--extends=recommended', '--format=json', 'openapi.json'], {
      cwd: folder,
      env: { PATH: process.env.PATH, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString();
    expect(JSON.parse(out)).toMatchObject({ totals: { errors: 0, warnings: 0 } });
  });
});
