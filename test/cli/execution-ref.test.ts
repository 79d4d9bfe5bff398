import { describe, expect, it } from 'vitest';
import { allRecords, findExecution, resolveExecutionId } from '../../src/cli/execution-ref.js';
import { documentOf } from './support/documents.js';
import { fakeRuntime } from './support/fake-runtime.js';

const ids = ['0190aaaa-1', '0190aabb-2', 'nightly', 'nightly-2', 'abc'];
const documents = ids.map((execution_id) => ({
  ...documentOf({ status: 'completed', seconds: 1, nodes: {} }),
  execution_id,
}));

describe('resolveExecutionId', () => {
  const runtime = fakeRuntime(documents);
  it.each([
    ['last', '0190aaaa-1'],
    ['0190aabb', '0190aabb-2'],
    ['nightly', 'nightly'],
    ['abc', 'abc'],
    ['01901234-0000-7000-8000-000000000000', '01901234-0000-7000-8000-000000000000'],
  ])('%s is %s', async (ref, id) => expect(await resolveExecutionId(runtime, ref)).toBe(id));

  it.each([
    ['0190', 'USAGE', /could be several executions: 0190aaaa-1, 0190aabb-2/],
    ['ab', 'USAGE', /too short.*abc/],
    ['zzzz', 'EXECUTION_NOT_FOUND', /zzzz/],
  ])('%s is refused', async (ref, code, message) => {
    await expect(resolveExecutionId(runtime, ref)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  it('knows no last one in an empty store', async () => {
    await expect(resolveExecutionId(fakeRuntime([]), 'last')).rejects.toMatchObject({
      code: 'EXECUTION_NOT_FOUND',
    });
  });
});

it('findExecution does not trust a whole id that is not stored', async () => {
  const id = '01901234-0000-7000-8000-000000000000';
  await expect(findExecution(fakeRuntime(documents), id)).rejects.toMatchObject({
    code: 'EXECUTION_NOT_FOUND',
  });
});

it('allRecords turns every page', async () => {
  const many = Array.from({ length: 2500 }, (_, i) => ({ ...documents[0], execution_id: `e${i}` }));
  const seen: string[] = [];
  for await (const record of allRecords(fakeRuntime(many))) seen.push(record.executionId);
  expect(seen).toEqual(many.map((document) => document.execution_id));
});
