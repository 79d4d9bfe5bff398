import { describe, expect, it } from 'vitest';
import { defineWorkflow } from '../../src/runtime/index.js';
import { services } from './support/open-service.js';

const open = services();
const nightly = defineWorkflow({ id: 'nightly', schedule: { cron: '0 3 * * *', timezone: 'Europe/Berlin' } })
  .node('a', { execute: () => null })
  .build();
const plain = defineWorkflow({ id: 'plain' })
  .node('a', { execute: () => null })
  .build();

async function serving() {
  const { service } = await open({ workflows: [nightly, plain] });
  return async (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string) => {
    const { statusCode: status, body } = await service.app.inject({ method, url });
    return { status, body: body === '' ? null : (JSON.parse(body) as Record<string, unknown>) };
  };
}

describe('schedules over HTTP', () => {
  it('are added, listed, paused, resumed and removed', async () => {
    const ask = await serving();
    expect(await ask('GET', '/api/schedules')).toEqual({ status: 200, body: { schedules: [] } });
    const added = await ask('PUT', '/api/schedules/nightly');
    expect(added).toMatchObject({
      status: 200,
      body: {
        workflow_id: 'nightly',
        cron: '0 3 * * *',
        timezone: 'Europe/Berlin',
        overlap: 'skip',
        paused: false,
      },
    });
    const listed = await ask('GET', '/api/schedules?next=3');
    const [{ next }] = listed.body!.schedules as { next: string[] }[];
    expect(next.length).toBe(3);
    expect(next[0]).toMatch(/T0[12]:00:00\.000Z$/);
    expect(await ask('POST', '/api/schedules/nightly/pause')).toMatchObject({
      status: 200,
      body: { paused: true },
    });
    expect(await ask('PUT', '/api/schedules/nightly')).toMatchObject({ status: 200, body: { paused: true } });
    expect(await ask('POST', '/api/schedules/nightly/resume')).toMatchObject({
      status: 200,
      body: { paused: false },
    });
    expect(await ask('DELETE', '/api/schedules/nightly')).toEqual({ status: 204, body: null });
    expect(await ask('GET', '/api/schedules')).toEqual({ status: 200, body: { schedules: [] } });
  });

  it.each([
    ['PUT', '/api/schedules/plain', 400, 'USAGE'],
    ['PUT', '/api/schedules/nope', 404, 'NOT_FOUND'],
    ['POST', '/api/schedules/nightly/pause', 404, 'SCHEDULE_NOT_FOUND'],
    ['POST', '/api/schedules/nightly/resume', 404, 'SCHEDULE_NOT_FOUND'],
    ['DELETE', '/api/schedules/nightly', 404, 'SCHEDULE_NOT_FOUND'],
    ['GET', '/api/schedules?next=101', 400, 'REQUEST_INVALID'],
    ['GET', '/api/schedules?nxt=1', 400, 'REQUEST_INVALID'],
  ] as const)('%s %s answers %i', async (method, url, status, code) => {
    const ask = await serving();
    expect(await ask(method, url)).toMatchObject({ status, body: { error: { code } } });
  });
});
