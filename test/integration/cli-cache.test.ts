import { expect, it } from 'vitest';
import { helloFolder, type Json } from './support/hello-folder.js';
import { maestro } from './support/maestro.js';

const { options, json } = helloFolder();

async function ran(...args: string[]): Promise<Json> {
  const { code, err } = await maestro(['run', 'cached.yaml', ...args], options);
  expect(code, err).toBe(0);
  const { node_states } = await json('show', 'last');
  return (node_states as Record<string, { metadata: Json; output: Json }>).double.metadata;
}

it('takes a result of an earlier execution, unless told not to, and collects it when it is old', async () => {
  expect((await ran()).cached).toBeUndefined();
  expect((await ran()).cached).toMatch(/^[0-9a-f]{64}$/);
  expect((await maestro(['events', 'last'], options)).out).toContain('cached double');
  expect((await ran('--no-cache')).cached).toBeUndefined();
  expect((await ran('--context', '{"number":4}')).cached).toBeUndefined();
  expect((await ran('--context', '{"number":4}')).cached).toBeDefined();
  const { out } = await maestro(['gc', '--older-than', '1d', '--json'], options);
  expect(JSON.parse(out)).toEqual({ deleted: [], dry_run: false });
});
