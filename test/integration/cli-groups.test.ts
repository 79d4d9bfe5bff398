import { describe, expect, it } from 'vitest';
import { helloFolder, type Json } from './support/hello-folder.js';
import { maestro } from './support/maestro.js';

const { options, json } = helloFolder();

describe('the example of a parallel group', () => {
  it('starts over after a failure, gives the outputs of its members, and runs again as one', async () => {
    const run = await maestro(['run', 'group.yaml', '--mode', 'dag_parallel'], options);
    expect(run.code, run.err).toBe(0);
    const shown = await maestro(['show', 'last'], options);
    expect(shown.out).toMatch(/services +completed .* 3 of 3 members completed, restarted once/);
    const before = await json('show', 'last');
    const id = before.execution_id as string;
    expect(before).toMatchObject({
      node_outputs: {
        services: { database: { port: 5432 }, api: { port: 8080 }, web: { port: 80 } },
        smoke: { dependency_outputs: { services: { api: { port: 8080 } } } },
      },
      node_states: {
        services: { metadata: { group: { members: { total: 3, completed: 3 }, restarts: 1 } } },
        database: { metadata: {} },
        api: { attempt_count: 1, metadata: { run: 1 } },
      },
    });
    const { out } = await maestro(['events', id, '--type', 'group_restarted', '--json'], options);
    expect(JSON.parse(out)).toMatchObject({ node_id: 'services', data: { failed_node: 'api' } });

    const rerun = await maestro(['rerun', id, 'services'], options);
    expect(rerun.code, rerun.err).toBe(0);
    const { node_states, status } = (await json('show', id)) as { node_states: Json; status: string };
    expect(status).toBe('completed');
    expect(node_states).toMatchObject({
      database: { metadata: { run: 1 } },
      api: { metadata: { run: 2 } },
      services: { metadata: { run: 1, group: { members: { completed: 3 } } } },
      smoke: { metadata: { run: 1 } },
    });
  });

  it('is one in drawings, and says how it is run', async () => {
    const text = await maestro(['graph', 'group.yaml'], options);
    expect(text.out).toContain(
      'services holds database, api, web (2 at once; rest_for_one, 3 restarts within 1m00s; a failure cancels the others)',
    );
    expect((await maestro(['graph', 'group.yaml', '--format', 'mermaid'], options)).out).toMatch(
      /subgraph g0\["services"\]\n +n1\["database"\]\n +n2\["api"\]\n +n3\["web"\]\n +end/,
    );
    expect((await maestro(['graph', 'group.yaml', '--format', 'dot'], options)).out).toContain(
      'subgraph cluster_0 {',
    );
    expect(await json('graph', 'group.yaml')).toMatchObject({
      parallel_groups: { services: ['database', 'api', 'web'] },
    });
  });
});
