import { symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { defineWorkflow } from '../../src/runtime/index.js';
import { tempDirs } from '../support/temp-dir.js';
import { services } from './support/open-service.js';

const open = services();
const tempDir = tempDirs('maestro-service-artifacts');
const TEXT = 'some text, ümläut';

it('lists artifacts and answers with their content, of nothing else', async () => {
  const { runtime, get } = await open({}, { artifactRoot: tempDir() });
  const workflow = defineWorkflow({ id: 'w' })
    .node('a', {
      execute: ({ artifactDir }) => {
        writeFileSync(join(artifactDir(), 'ä b.txt'), TEXT);
        writeFileSync(join(artifactDir(), 'empty.bin'), '');
        return { artifacts: ['ä b.txt', 'empty.bin'] };
      },
    })
    .build();
  await (
    await runtime.start(workflow, {}, { executionId: 'e' })
  ).result;
  const listed = await get('/api/executions/e/artifacts?verify=true');
  expect(listed.status).toBe(200);
  const { artifacts } = JSON.parse(listed.body) as { artifacts: { artifact_id: string; state: string }[] };
  expect(artifacts).toMatchObject([
    { node_id: 'a', path: 'ä b.txt', size_bytes: Buffer.byteLength(TEXT), state: 'stored', verified: 'ok' },
    { path: 'empty.bin', size_bytes: 0, verified: 'ok' },
  ]);
  expect(artifacts[0]).not.toHaveProperty('folder');

  const [first, empty] = artifacts.map(({ artifact_id }) => `/api/executions/e/artifacts/${artifact_id}`);
  const content = await get(first);
  expect(content).toMatchObject({ status: 200, body: TEXT });
  expect(content.headers).toMatchObject({
    'content-type': 'text/plain',
    'content-length': String(Buffer.byteLength(TEXT)),
    'content-disposition': "attachment; filename*=UTF-8''%C3%A4%20b.txt",
    'x-content-type-options': 'nosniff',
  });
  expect(await get(empty)).toMatchObject({ status: 200, body: '' });
  for (const path of ['..%2f..%2fetc%2fpasswd', '%2e%2e', '/etc/passwd', '0'.repeat(24)])
    expect([400, 404]).toContain((await get(`/api/executions/e/artifacts/${path}`)).status);
  expect((await get('/api/executions/x/artifacts')).status).toBe(404);

  const { folder } = (await runtime.artifacts('e'))[0];
  unlinkSync(join(folder, 'ä b.txt'));
  symlinkSync('/etc/passwd', join(folder, 'ä b.txt'));
  const linked = await get(first);
  expect(linked.status).toBe(404);
  expect(linked.body).not.toContain('root:');
  unlinkSync(join(folder, 'ä b.txt'));
  writeFileSync(join(folder, 'ä b.txt'), 'other');
  expect((await get(first)).status).toBe(409);
});
