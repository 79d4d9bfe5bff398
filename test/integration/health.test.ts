import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { createRuntime, defineWorkflow, type Runtime } from '../../src/runtime/index.js';
import { createService, type Service } from '../../src/server/index.js';

const STEPS = join(import.meta.dirname, '../fixtures/steps/steps.js');
const nothing = (): void => {};
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

let service: Service;
let runtime: Runtime;
afterEach(async () => {
  await service.close();
  await runtime.close({ drainMs: 0 });
});

/** So many steps, each of which ends its worker thread. */
function deadly(count: number) {
  const builder = defineWorkflow({ id: 'deadly', onFailure: 'continue' });
  for (let k = 0; k < count; k++) builder.node(`n${k}`, { uses: `${STEPS}#exit` });
  return builder.build();
}

async function openService(): Promise<void> {
  runtime = await createRuntime({ store: 'memory:', pool: { threads: 2 } });
  // Only the pool is looked at here: threads that start and end may hold up the event loop of a busy machine.
  const healthLimits = { maxDelayMs: Infinity };
  service = await createService({ runtime, workflows: [], logger: silent, version: '1', healthLimits });
}

const ask = async (url: string) => {
  const { statusCode, body } = await service.app.inject(url);
  return { status: statusCode, text: body, body: () => JSON.parse(body) as { reasons: string[] } };
};

it('/health tells that workers die, before they are too many', async () => {
  await openService();
  await (
    await runtime.start(deadly(80))
  ).result;
  const { reasons } = (await ask('/health')).body();
  expect(reasons).toEqual([
    expect.stringMatching(/^pool: \d+ thread workers died lately; more than 100 stop the pool/),
  ]);
  expect((await ask('/health/ready')).status).toBe(200);
  expect((await ask('/metrics')).text).toMatch(/^maestro_worker_deaths_total\{worker="thread"\} [89]\d$/m);
});

it('/health tells that the pool stopped, and the service is not ready', async () => {
  await openService();
  const execution = await runtime.start(deadly(150));
  await expect(execution.result).rejects.toMatchObject({ code: 'POOL_STOPPED' });
  expect((await ask('/health')).body().reasons).toEqual([
    expect.stringMatching(/^pool: worker threads keep dying/),
  ]);
  expect((await ask('/health/ready')).status).toBe(503);
  expect((await ask('/metrics')).text).toContain('\nmaestro_workers_stopped{worker="thread"} 1\n');
});
