import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { createRuntime, defineWorkflow, type ExecutionEvent, type Runtime } from '../../src/runtime/index.js';
import { createService, type Service, type ServiceOptions } from '../../src/server/index.js';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const READ = 'read-token-0123456789';
const TOKENS = [{ scope: 'read', token: READ }] as const;

const opened: { service: Service; runtime: Runtime }[] = [];
afterEach(async () => {
  for (const { service, runtime } of opened.splice(0)) {
    await service.close();
    await runtime.close({ drainMs: 0 });
  }
});

const quick = defineWorkflow({ id: 'quick' })
  .node('only', { execute: () => ({ n: 1 }) })
  .build();
const endless = defineWorkflow({ id: 'endless' })
  .node('only', {
    execute: ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))),
  })
  .build();
/** Large events, in all more than any buffer on the way takes. */
const large = (() => {
  const builder = defineWorkflow<Record<string, unknown>>({ id: 'large' });
  for (let i = 0; i < 400; i++) builder.node(`n${i}`, { execute: () => 'x'.repeat(60_000) });
  return builder.build();
})();

async function open(options: Partial<ServiceOptions> = {}) {
  const runtime = await createRuntime({ store: 'memory:', pool: { graceMs: 10 } });
  const workflows = [quick, endless, large];
  const service = await createService({
    runtime,
    workflows,
    logger: silent,
    version: '1',
    port: 0,
    ...options,
  });
  opened.push({ service, runtime });
  /** The service's ends of its connections. */
  const sockets: Socket[] = [];
  service.app.server.on('connection', (socket: Socket) => sockets.push(socket));
  const url = await service.listen();
  const events = (id: string, query = '', headers: Record<string, string> = {}) =>
    fetch(`${url}/api/executions/${id}/events${query}`, { headers });
  const json = { accept: 'application/json' };
  const page = async (id: string, query = '') => (await (await events(id, query, json)).json()) as Page;
  return { runtime, service, sockets, url, events, page };
}
type Page = { events: ExecutionEvent[]; last_event_id: string | null; more: boolean };

async function done(runtime: Runtime, workflow = quick, executionId = 'e1') {
  await (
    await runtime.start(workflow, {}, { executionId })
  ).result;
  const all: ExecutionEvent[] = [];
  for await (const event of runtime.events(executionId)) all.push(event);
  return all;
}

/** A WebSocket with what it was told; resolves once open, or with the HTTP status that refused it. */
async function dial(url: string, protocols: string[] = [], options: WebSocket.ClientOptions = {}) {
  const socket = new WebSocket(url.replace('http', 'ws'), protocols, options);
  const told: ExecutionEvent[] = [];
  socket.on('message', (data: Buffer) => told.push(JSON.parse(data.toString()) as ExecutionEvent));
  const closed = once(socket, 'close').then(([code, reason]) => `${code as number} ${String(reason)}`);
  closed.catch(() => {});
  const refused = new Promise<number>((resolve) =>
    socket.on(
      'unexpected-response',
      (request, { statusCode = 0 }) => (resolve(statusCode), request.destroy()),
    ),
  );
  const status = await Promise.race([once(socket, 'open').then(() => 101), refused]);
  return { socket, told, closed, status };
}

describe('pages of events', () => {
  it('lead through all of them, each once', async () => {
    const { runtime, page } = await open();
    const all = await done(runtime);
    const seen: ExecutionEvent[] = [];
    let next: Page = await page('e1', '?limit=2');
    for (; next.more; next = await page('e1', `?limit=2&last_event_id=${next.last_event_id}`)) {
      expect(next.events).toHaveLength(2);
      seen.push(...next.events);
    }
    expect([...seen, ...next.events]).toEqual(all);
    const last = all.at(-1)!.event_id!;
    expect(await page('e1', `?last_event_id=${last}`)).toEqual({
      events: [],
      last_event_id: last,
      more: false,
    });
  });

  it('are bounded in size', async () => {
    const { runtime, page } = await open();
    await done(runtime, large);
    const { events, more } = await page('e1', '?limit=1000');
    expect(more).toBe(true);
    expect(JSON.stringify(events).length).toBeLessThan(5 * 2 ** 20);
  });

  it('are refused for what is wrong or not there', async () => {
    const { events } = await open();
    for (const headers of [{ accept: 'application/json' }, { accept: 'text/event-stream' }]) {
      expect((await events('nope', '', headers)).status).toBe(404);
      expect((await events('nope', '?last_event_id=x', headers)).status).toBe(400);
      expect((await events('nope', '?odd=1', headers)).status).toBe(400);
      expect((await events('nope', '', { ...headers, 'last-event-id': '1_2' })).status).toBe(400);
    }
    expect((await events('nope', '?limit=1001', { accept: 'application/json' })).status).toBe(400);
  });
});

describe('server-sent events', () => {
  it('tell all events with their ids, then the end; after it there is nothing more to ask for', async () => {
    const { runtime, events } = await open();
    const all = await done(runtime);
    const answer = await events('e1');
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const frames = all.map((event) => `id: ${event.event_id}\ndata: ${JSON.stringify(event)}\n\n`);
    expect(await answer.text()).toBe(`retry: 2000\n\n${frames.join('')}event: end\ndata: {}\n\n`);
    expect((await events('e1', `?last_event_id=${all.at(-1)!.event_id}`)).status).toBe(204);
    const rest = await events('e1', '?last_event_id=999-9', { 'last-event-id': all[0].event_id! });
    expect(await rest.text()).toBe(`retry: 2000\n\n${frames.slice(1).join('')}event: end\ndata: {}\n\n`);
  });

  it('are a bounded number of streams; a client that goes makes room', async () => {
    const { runtime, events, url } = await open({ maxStreams: 2 });
    await runtime.start(endless, {}, { executionId: 'e1' });
    const clients = [new AbortController(), new AbortController()];
    for (const { signal } of clients)
      expect((await fetch(`${url}/api/executions/e1/events`, { signal })).status).toBe(200);
    expect((await events('e1')).status).toBe(429);
    expect((await dial(`${url}/ws/workflow/endless`)).status).toBe(429);
    clients[0].abort();
    await expect.poll(() => dial(`${url}/ws/workflow/endless`).then(({ status }) => status)).toBe(101);
  });

  it('end when the service shuts down, also those of a client that takes nothing', async () => {
    const { runtime, service, events, url } = await open();
    await runtime.start(endless, {}, { executionId: 'e1' });
    await done(runtime, large, 'e2');
    const text = (await events('e1')).text();
    const { port } = new URL(url);
    const stuck = connect(Number(port), '127.0.0.1');
    stuck.write('GET /api/executions/e2/events HTTP/1.1\r\nhost: localhost\r\n\r\n');
    stuck.on('error', () => {});
    await once(stuck, 'readable');
    await service.close();
    // Cut short: no `end`.
    expect(await text).not.toMatch(/event: end/);
    await expect(fetch(`${url}/health`)).rejects.toThrow();
    stuck.destroy();
  });
});

describe('a slow client', () => {
  it('of server-sent events makes the service wait, not buffer', async () => {
    const { runtime, url, sockets } = await open();
    await done(runtime, large);
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('GET /api/executions/e1/events HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await once(socket, 'readable');
    // What the kernel holds and one buffer of the stream, of 24 MB.
    let written = -1;
    await expect
      .poll(
        () => {
          const before = written;
          written = sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
          return written === before && written > 0;
        },
        { interval: 200 },
      )
      .toBe(true);
    const buffered = sockets.map(({ writableLength }) => writableLength);
    expect(Math.max(...buffered)).toBeLessThan(2 ** 20);
    expect(written).toBeLessThan(20 * 2 ** 20);
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
    await once(socket, 'close');
    expect(bytes).toBeGreaterThan(400 * 60_000);
  });

  it('of a workflow is told to come again', async () => {
    const { runtime, url } = await open();
    const { socket, closed, status } = await dial(`${url}/ws/workflow/large`);
    expect(status).toBe(101);
    socket.pause();
    await done(runtime, large);
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.resume();
    expect(await closed).toMatch(/^(1013 too slow|1006)/);
  });
});

describe('WebSockets', () => {
  it('tell the live events of every execution of a workflow, and of no other', async () => {
    const { runtime, url } = await open();
    await done(runtime, quick, 'before');
    const one = await dial(`${url}/ws/workflow/quick`);
    const other = await dial(`${url}/ws/workflow/endless`);
    expect([one.status, other.status]).toEqual([101, 101]);
    const all = [...(await done(runtime, quick, 'a')), ...(await done(runtime, quick, 'b'))];
    const wanted = all.map(({ execution_id, event_id }) => `${execution_id} ${event_id}`).sort();
    const told = () => one.told.map(({ execution_id, event_id }) => `${execution_id} ${event_id}`).sort();
    await expect.poll(told).toEqual(wanted);
    expect(one.told.filter(({ execution_id }) => execution_id === 'a')).toEqual(
      all.filter(({ execution_id }) => execution_id === 'a'),
    );
    expect(other.told).toEqual([]);
  });

  it('tell all events of one execution, or those after one, and close at its end', async () => {
    const { runtime, url } = await open();
    const all = await done(runtime);
    const whole = await dial(`${url}/ws/workflow/quick?execution_id=e1`);
    expect(await whole.closed).toBe('1000 the execution has ended');
    expect(whole.told).toEqual(all);
    const rest = await dial(`${url}/ws/workflow/quick?execution_id=e1&last_event_id=${all[2].event_id}`);
    await rest.closed;
    expect(rest.told).toEqual(all.slice(3));
  });

  it('are refused for what is wrong or not there', async () => {
    const { runtime, url } = await open();
    await done(runtime);
    for (const [path, status] of [
      ['nope', 404],
      ['endless?execution_id=e1', 404],
      ['quick?execution_id=nope', 404],
      ['quick?execution_id=e1&last_event_id=x', 400],
      ['quick?last_event_id=1-0', 400],
      ['quick?token=x', 400],
    ] as const)
      expect((await dial(`${url}/ws/workflow/${path}`)).status, path).toBe(status);
    expect((await fetch(`${url}/ws/workflow/quick`)).status).toBe(400);
    expect((await dial(`${url}/nope`)).status).toBe(404);
  });

  it('take no messages, neither small nor large', async () => {
    const { url } = await open();
    const small = await dial(`${url}/ws/workflow/quick`);
    small.socket.send('hello');
    expect(await small.closed).toBe('1008 this socket takes no messages');
    const large = await dial(`${url}/ws/workflow/quick`);
    large.socket.send('x'.repeat(5000));
    expect(await large.closed).toMatch(/^1009/);
  });

  it('need a token, as a header or as a subprotocol, and never one in the address', async () => {
    const { url } = await open({ tokens: TOKENS, host: '127.0.0.1' });
    const ws = `${url}/ws/workflow/quick`;
    const headers = { authorization: `Bearer ${READ}` };
    expect((await dial(ws)).status).toBe(401);
    expect((await dial(`${ws}?access_token=${READ}`)).status).toBe(401);
    expect((await dial(ws, ['bearer', 'wrong-token-0123456789'])).status).toBe(401);
    expect((await dial(ws, [], { headers })).status).toBe(101);
    const browser = await dial(ws, ['bearer', READ]);
    expect([browser.status, browser.socket.protocol]).toEqual([101, 'bearer']);
    // Only an upgrade may have it there.
    expect(
      (await fetch(`${url}/api/executions`, { headers: { 'sec-websocket-protocol': `bearer, ${READ}` } }))
        .status,
    ).toBe(401);
  });

  it('without tokens take no pages from elsewhere', async () => {
    const { url } = await open();
    const ws = `${url}/ws/workflow/quick`;
    expect((await dial(ws, [], { origin: 'https://evil.example' })).status).toBe(403);
    expect((await dial(ws, [], { headers: { host: 'evil.example' } })).status).toBe(403);
    expect((await dial(ws, [], { origin: 'http://localhost:3000' })).status).toBe(101);
  });

  it('leave no connection open when they are refused', async () => {
    const { url, sockets } = await open({ tokens: TOKENS });
    for (const path of ['/nope', '/ws/workflow/quick', '/ws/workflow/nope', '/health', '/api/executions']) {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      const lines = [`GET ${path} HTTP/1.1`, 'host: localhost', 'connection: upgrade', 'upgrade: websocket'];
      socket.write(`${lines.join('\r\n')}\r\n\r\n`);
      // The service closes it, not the client.
      socket.resume();
      await once(socket, 'close');
    }
    expect(sockets.filter(({ destroyed }) => !destroyed)).toEqual([]);
  });

  it('are closed with 1001 when the service shuts down, and cut when they do not answer', async () => {
    const { url, service } = await open();
    const polite = await dial(`${url}/ws/workflow/quick`);
    const silentOne = await dial(`${url}/ws/workflow/quick`);
    silentOne.socket.pause();
    await service.close();
    expect(await polite.closed).toBe('1001 the service is shutting down');
    silentOne.socket.resume();
    expect(await silentOne.closed).toMatch(/^1001/);
  });
});

describe('/docs', () => {
  it('shows the API from the package alone', async () => {
    const { url } = await open({ tokens: TOKENS });
    const page = await fetch(`${url}/docs`);
    const policy = page.headers.get('content-security-policy')!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/https?:|unsafe/);
    const html = await page.text();
    const parts = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
    expect(parts.length).toBeGreaterThan(4);
    for (const path of [...parts, '/docs/json', '/openapi.json']) {
      const part = await fetch(new URL(path, page.url));
      expect(new URL(path, page.url).origin, path).toBe(url);
      expect([part.status, (await part.text()).length > 100], path).toEqual([200, true]);
    }
    expect(html).not.toMatch(/<script>|on\w+="/);
    const document = (await (await fetch(`${url}/docs/json`)).json()) as { paths: object };
    expect(Object.keys(document.paths)).toContain('/api/executions/{execution_id}/events');
    expect((await fetch(`${url}/docs/static/../../package.json`)).status).toBe(401);
    expect((await fetch(`${url}/docs/static/%2e%2e/package.json`)).status).toBeGreaterThanOrEqual(400);
  });
});
