import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createRuntime, loadWorkflowFile } from '../../src/runtime/index.js';
import { createService } from '../../src/server/index.js';
import { tempDirs } from '../support/temp-dir.js';

const tempDir = tempDirs('maestro-service-logs');
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const SPEC = {
  workflow: { id: 'w', name: 'W' },
  nodes: [
    { id: 'a', name: 'A', type: 'custom', run: 'echo out; echo err >&2' },
    { id: 'b', name: 'B', type: 'custom', run: 'echo b', dependencies: ['a'] },
  ],
};

it('answers what steps wrote, page by page', async () => {
  const file = join(tempDir(), 'w.json');
  writeFileSync(file, JSON.stringify(SPEC));
  const { workflow } = await loadWorkflowFile(file);
  await using runtime = await createRuntime({ store: 'memory:' });
  const service = await createService({ runtime, workflows: [], logger: silent, version: '1.2.3' });
  const ask = async (query: string) => {
    const { statusCode, body } = await service.app.inject(`/api/executions/${query}`);
    return {
      status: statusCode,
      body: JSON.parse(body) as { logs?: unknown[]; next?: string; error?: { code: string } },
    };
  };
  await (
    await runtime.start(workflow, {}, { executionId: 'e' })
  ).result;

  const first = await ask('e/logs?limit=1');
  expect(first).toMatchObject({
    status: 200,
    body: { execution_id: 'e', status: 'completed', logs: [{ node_id: 'a', attempt: 1, dropped_chars: 0 }] },
  });
  const second = await ask(`e/logs?limit=1&after=${first.body.next}`);
  expect(second.body).toEqual({
    execution_id: 'e',
    status: 'completed',
    logs: [
      {
        node_id: 'b',
        attempt: 1,
        run: 0,
        began_at: expect.stringMatching(/Z$/) as string,
        written_chars: 2,
        dropped_chars: 0,
        entries: [{ stream: 'stdout', time: expect.stringMatching(/Z$/) as string, offset: 0, text: 'b\n' }],
      },
    ],
  });
  const errors = await ask('e/logs?node_id=a&stream=stderr');
  expect(errors.body.logs).toMatchObject([{ entries: [{ stream: 'stderr', text: 'err\n' }] }]);
  expect((await ask('e/logs?attempt=2')).body.logs).toEqual([]);

  expect(await ask('nope/logs')).toMatchObject({
    status: 404,
    body: { error: { code: 'EXECUTION_NOT_FOUND' } },
  });
  expect(await ask('e/logs?node_id=x')).toMatchObject({
    status: 404,
    body: { error: { code: 'NODE_NOT_FOUND' } },
  });
  for (const wrong of ['after=x', 'stream=x', 'limit=0', 'limit=101', 'attempt=0', 'other=1'])
    expect((await ask(`e/logs?${wrong}`)).status, wrong).toBe(400);
  await service.close();
});
