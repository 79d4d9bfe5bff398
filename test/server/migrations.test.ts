import { expect, it } from 'vitest';
import { defineWorkflow } from '../../src/runtime/index.js';
import { services } from './support/open-service.js';

const open = services();

const fails = (): never => {
  throw new Error('no');
};
const flow = (id: string, work: () => unknown) => defineWorkflow({ id: 'flow' }).node(id, { execute: work });

it('lets an execution go on under the definition that is registered', async () => {
  const registered = flow('one', () => 1)
    .node('two', { dependsOn: ['one'], execute: () => 2 })
    .build();
  const { service, runtime } = await open({ workflows: [registered] });
  const ask = async (id: string, payload?: object) => {
    const { statusCode, body } = await service.app.inject({
      method: 'POST',
      url: `/api/executions/${id}/migrate`,
      ...(payload && { payload }),
    });
    return { status: statusCode, body: JSON.parse(body) as Record<string, unknown> };
  };
  const earlier = flow('one', fails).build();
  const other = flow('zero', fails).build();
  for (const [id, workflow] of [
    ['e', earlier],
    ['o', other],
  ] as const)
    await (
      await runtime.start(workflow, {}, { executionId: id })
    ).result;

  // What has failed is part of the history.
  expect(await ask('o')).toMatchObject({ status: 409, body: { error: { code: 'MIGRATION_REFUSED' } } });
  expect(await ask('o', { dry_run: true })).toMatchObject({
    status: 200,
    body: { allowed: false, migrated: false, nodes: [{}, {}, { node_id: 'zero', allowed: false }] },
  });
  expect(await ask('e')).toMatchObject({
    status: 200,
    body: { migrated: true, difference: { added: ['two'], changed: [], unchanged: 1 } },
  });
  expect(await (await runtime.retry('e')).result).toMatchObject({ status: 'completed', completed_nodes: 2 });
  expect((await ask('nope')).status).toBe(404);
  const unregistered = defineWorkflow({ id: 'unknown' }).node('a', { execute: fails }).build();
  await (
    await runtime.start(unregistered, {}, { executionId: 'u' })
  ).result;
  expect((await ask('u')).status).toBe(404);
});
