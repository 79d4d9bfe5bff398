import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EventSource } from 'eventsource';
import { afterEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { services } from './support/services.js';
import { until } from './support/runtimes.js';

const READ = 'read-token-0123456789';
const WRITE = 'write-token-0123456789';
const GATED = `workflow: { id: gated, name: Gated }
nodes:
  - { id: first, name: first, type: custom, run: 'echo 1' }
  - { id: second, name: second, type: custom, dependencies: [first], run: 'while ! test -e go; do sleep 0.05; done' }
  - { id: third, name: third, type: custom, dependencies: [second], run: 'echo 3' }
`;

const { serve, folder } = services({ 'gated.yaml': GATED });
const opened: { close: () => void }[] = [];
afterEach(() => opened.splice(0).forEach((client) => client.close()));

interface Told {
  event_id: string;
  event_type: string;
  execution_id: string;
  node_id?: string;
}

const letGo = () => writeFileSync(join(folder(), 'go'), '');
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function begin(url: string, execution_id: string, headers: Record<string, string> = {}): Promise<void> {
  const answer = await fetch(`${url}/api/workflows/gated/execute`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ execution_id }),
  });
  expect(answer.status).toBe(201);
}

/** All stored events, by pages of three. */
async function stored(url: string, id: string, headers: Record<string, string> = {}): Promise<Told[]> {
  const events: Told[] = [];
  for (let after = ''; ;) {
    const address = `${url}/api/executions/${id}/events?limit=3${after && `&last_event_id=${after}`}`;
    const answer = await fetch(address, { headers: { accept: 'application/json', ...headers } });
    const page = (await answer.json()) as { events: Told[]; last_event_id: string; more: boolean };
    events.push(...page.events);
    if (!page.more) return events;
    after = page.last_event_id;
  }
}

/** A client made by others, that comes back by itself; `end` closes it when `closeAtEnd`. */
function source(url: string, id: string, headers: Record<string, string> = {}, closeAtEnd = true) {
  const told: Told[] = [];
  const seen = { ended: false, opened: 0 };
  const client = new EventSource(`${url}/api/executions/${id}/events`, {
    fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
  });
  client.onopen = () => (seen.opened += 1);
  client.onmessage = ({ data, lastEventId }: { data: string; lastEventId: string }) => {
    const event = JSON.parse(data) as Told;
    expect(lastEventId).toBe(event.event_id);
    told.push(event);
  };
  client.addEventListener('end', () => {
    seen.ended = true;
    if (closeAtEnd) client.close();
  });
  opened.push(client);
  return { client, told, seen, isAt: (node: string) => told.at(-1)?.node_id === node };
}

function socket(url: string, path: string, protocols: string[] = []) {
  const client = new WebSocket(`${url.replace('http', 'ws')}/ws/workflow/${path}`, protocols);
  const told: Told[] = [];
  client.on('message', (data: Buffer) => told.push(JSON.parse(data.toString()) as Told));
  client.on('error', () => undefined);
  opened.push({ close: () => client.terminate() });
  const closed = new Promise<number>((resolve) => client.on('close', resolve));
  const open = new Promise<void>((resolve) => client.on('open', resolve));
  return { client, told, closed, open };
}

describe('event streams of the running service', () => {
  it('go on exactly where they were after kill -9 and a new start', async () => {
    const { service, url } = await serve();
    const { port } = new URL(url);
    await begin(url, 'e1');
    const events = source(url, 'e1');
    await until(() => events.isAt('second'), 'the second node runs');
    const before = events.told.length;
    service.child.kill('SIGKILL');
    await service.finished;
    const next = await serve(['--port', port]);
    await next.service.until(/Resuming workflow execution e1/);
    letGo();
    await until(() => events.seen.ended, 'the end is told');
    const all = await stored(next.url, 'e1');
    expect(events.told).toEqual(all);
    expect(events.seen.opened).toBe(2);
    expect(all.length).toBeGreaterThan(before);
    expect(all.map(({ event_type }) => event_type)).toContain('node_recovered');
    // A WebSocket, too: from the last event the first life told.
    const rest = socket(next.url, `gated?execution_id=e1&last_event_id=${all[before - 1].event_id}`);
    expect(await rest.closed).toBe(1000);
    expect(rest.told).toEqual(all.slice(before));
  });

  it('stop by themselves: a client that comes back after the end is told that there is no more', async () => {
    const { url } = await serve();
    letGo();
    await begin(url, 'e1');
    const { client, told, seen } = source(url, 'e1', {}, false);
    await until(() => client.readyState === EventSource.CLOSED, 'it is told to stop');
    expect(seen).toEqual({ ended: true, opened: 1 });
    expect(told).toEqual(await stored(url, 'e1'));
  });

  it('tell what another service on the store runs, and what goes over from one to the other', async () => {
    const blue = await serve();
    const green = await serve();
    const watching = socket(green.url, 'gated');
    await watching.open;
    await begin(blue.url, 'e1');
    const events = source(green.url, 'e1');
    await until(() => events.isAt('second'), 'the second node runs');
    blue.service.child.kill('SIGKILL');
    await blue.service.finished;
    letGo();
    await until(() => events.seen.ended, 'the end is told');
    const all = await stored(green.url, 'e1');
    expect(events.told).toEqual(all);
    await until(() => watching.told.length >= all.length, 'the watcher is told');
    expect(watching.told).toEqual(all);
  });

  it('need a token of scope read', async () => {
    const { url } = await serve([], { MAESTRO_TOKEN_READ: READ, MAESTRO_TOKEN_WRITE: WRITE });
    await begin(url, 'e1', bearer(WRITE));
    const refused = source(url, 'e1');
    const [error] = (await once(refused.client as never, 'error')) as [{ code?: number }];
    expect([error.code, refused.client.readyState]).toEqual([401, EventSource.CLOSED]);
    expect(await socket(url, 'gated').closed).toBe(1006);
    expect(await socket(url, 'gated', ['bearer', 'wrong-token-0123456789']).closed).toBe(1006);
    const watching = socket(url, 'gated', ['bearer', READ]);
    await watching.open;
    const events = source(url, 'e1', bearer(READ));
    letGo();
    await until(() => events.seen.ended, 'the end is told');
    const all = await stored(url, 'e1', bearer(READ));
    expect(events.told).toEqual(all);
    await until(() => watching.told.at(-1)?.event_type === 'workflow_completed', 'the watcher is told');
    // It came later than the first events.
    expect(watching.told).toEqual(all.slice(all.length - watching.told.length));
  });

  it('are ended by SIGTERM, and do not hold it up', async () => {
    const { service, url } = await serve(['--drain', '0.2s', '--grace', '0.2']);
    await begin(url, 'e1');
    const events = source(url, 'e1');
    const watching = socket(url, 'gated');
    await until(() => events.isAt('second'), 'the second node runs');
    await watching.open;
    const lost = once(events.client as never, 'error');
    service.child.kill('SIGTERM');
    expect(await watching.closed).toBe(1001);
    await lost;
    expect((await service.finished).code).toBe(0);
    expect(events.seen.ended).toBe(false);
  });
});
