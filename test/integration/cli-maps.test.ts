import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from './support/runtimes.js';
import { helloFolder, type Json } from './support/hello-folder.js';
import { maestro, start } from './support/maestro.js';

const { folder, options, json } = helloFolder();

describe('the example of a map', () => {
  it('gives the results in order, puts up with some failures, and shows how far each step is', async () => {
    const run = await maestro(['run', 'map.yaml', '--mode', 'dag_parallel', '--id', 'map'], options);
    expect(run.code, run.err).toBe(0);
    const shown = await maestro(['show', 'map'], options);
    expect(shown.out).toMatch(/square +completed .* 20 items: completed 20/);
    expect(shown.out).toMatch(
      /sift +completed .* completed 17, failed 2, skipped 1; sift\[6\]: 7 is a multiple of seven/,
    );
    const document = (await json('show', 'map')) as { node_outputs: { each: unknown[] } };
    expect(document.node_outputs.each.slice(0, 8)).toEqual([1, 4, 9, 16, 25, 36, null, 64]);
    expect(document).toMatchObject({
      total_nodes: 5,
      node_outputs: {
        sum: { items: 20, missing: 3 },
        sift: { items: 20, completed: 17, skipped: 1, failed: 2 },
      },
    });
    expect(await json('show', 'map', '--node', 'sift[6]')).toMatchObject({
      status: 'failed',
      error_message: '7 is a multiple of seven',
    });
    const { out } = await maestro(['events', 'map', '--type', 'map_expanded', '--json'], options);
    expect(JSON.parse(out)).toMatchObject({ node_id: 'each', data: { items: 20, new_nodes: 40 } });
    expect((await maestro(['snapshot', 'verify'], options)).out).toContain('sound');
  });

  it('is one box in drawings, which says what it goes over', async () => {
    const text = await maestro(['graph', 'map.yaml'], options);
    expect(text.out).toContain(
      'each holds square, sift (for each item of ${outputs.list.items}; 50 at once; 20 % may fail)',
    );
    expect(await json('graph', 'map.yaml')).toMatchObject({ maps: { each: '${outputs.list.items}' } });
  });
});

it('a map whose process is killed goes on with what was not done', async () => {
  const spec = {
    workflow: { id: 'killed', name: 'Killed' },
    nodes: [
      { id: 'list', name: 'list', type: 'custom', run: 'echo \'{"items":["a","b","c","d","e","f"]}\'' },
      {
        ...{ id: 'work', name: 'work', type: 'custom', dependencies: ['list'], map: '${outputs.list.items}' },
        run: 'read -r input; echo "$MAESTRO_NODE_ID" >> ran; while [ ! -e go ] && [ "$(wc -l < ran)" -ge 4 ]; do sleep 0.05; done; echo "$input"',
      },
    ],
  };
  writeFileSync(join(folder.path, 'killed.json'), JSON.stringify(spec));
  const ran = (): string[] => readFileSync(join(folder.path, 'ran'), 'utf8').trim().split('\n');
  const process = start(['run', 'killed.json', '--mode', 'dag_linear', '--id', 'killed'], options);
  await until(() => existsSync(join(folder.path, 'ran')) && ran().length === 4, 'the fourth item runs');
  process.child.kill('SIGKILL');
  await process.finished;
  const left = (await json('show', 'killed', '--node', 'work')) as { metadata: { map: Json } };
  expect(left.metadata.map).toMatchObject({ items: 6 });
  writeFileSync(join(folder.path, 'go'), '');
  expect((await maestro(['recover', 'killed'], options)).code).toBe(0);
  const { node_outputs, status } = (await json('show', 'killed')) as Json & {
    node_outputs: { work: { item: string; index: number }[] };
  };
  expect(status).toBe('completed');
  expect(node_outputs.work.map(({ item, index }) => [item, index])).toEqual(
    [...'abcdef'].map((item, index) => [item, index]),
  );
  // An item begins when the one before has ended, which may not be on disk yet: at most these two began twice.
  const times = [...'012345'].map((n) => ran().filter((id) => id === `work[${n}]`).length);
  expect([times[0], times[1], times[3], times[4], times[5]]).toEqual([1, 1, 2, 1, 1]);
  expect(times[2]).toBeLessThanOrEqual(2);
});
