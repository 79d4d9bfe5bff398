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
  const { cached: key } = await ran('--context', '{"number":4}');
  expect(key).toBeDefined();
  expect(await json('cache', 'stat')).toMatchObject({
    entries: 2,
    expired: 0,
    damaged: 0,
    nodes: [{ workflow_id: 'hello-cached', node_id: 'double', entries: 2 }],
  });
  const { out: table } = await maestro(['cache'], options);
  expect(table).toMatch(
    /^2 kept results, .*, 0 too old\noldest .*\nWORKFLOW .*\nhello-cached +double +2 +0 /,
  );
  const { out } = await maestro(['gc', '--older-than', '1d', '--json'], options);
  expect(JSON.parse(out)).toEqual({ deleted: [], dry_run: false });

  expect(await json('cache', 'clear', '--expired')).toEqual({ cleared: 0, dry_run: false });
  expect(await json('cache', 'clear', '--key', String(key).slice(0, 12))).toEqual({
    cleared: 1,
    dry_run: false,
  });
  expect((await ran()).cached).toBeDefined();
  expect((await maestro(['cache', 'clear', '--all', '--dry-run'], options)).out).toBe(
    '1 kept result would be deleted\n',
  );
  expect((await maestro(['cache', 'clear', '--all'], options)).out).toBe('1 kept result deleted\n');
  expect((await ran()).cached).toBeUndefined();
  expect(await maestro(['cache', 'clear'], options)).toMatchObject({ code: 2 });
});
