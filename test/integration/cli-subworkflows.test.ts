import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { helloFolder, type Json } from './support/hello-folder.js';
import { maestro, start } from './support/maestro.js';

const { folder, options, json } = helloFolder();

describe('the example of a subworkflow', () => {
  it('runs as an execution of its own, and the two are shown with each other', async () => {
    const run = await maestro(['run', 'subworkflow.yaml', '--id', 'whole'], options);
    expect(run.code, run.err).toBe(0);
    const document = await json('show', 'last');
    expect(document).toMatchObject({
      execution_id: 'whole',
      children: [
        { execution_id: 'whole+letter.0.1', node_id: 'letter', workflow_id: 'hello', status: 'completed' },
      ],
      node_outputs: { post: { dependency_outputs: { letter: [expect.stringMatching(/letter\.txt$/)] } } },
    });
    expect((await maestro(['show', 'whole'], options)).out).toMatch(
      /letter +completed .* ran as whole\+letter\.0\.1 \(completed\)/,
    );
    const child = await maestro(['show', 'whole+letter.0.1'], options);
    expect(child.out).toMatch(/started by +whole, node letter/);
    expect(await json('show', 'whole+letter.0.1')).toMatchObject({ global_context: { name: 'Ada' } });
    const { executions } = (await json('list')) as { executions: Json[] };
    expect(executions).toMatchObject([
      { execution_id: 'whole+letter.0.1', parent: 'whole' },
      { execution_id: 'whole' },
    ]);
    expect((await maestro(['delete', 'whole+letter.0.1'], options)).err).toMatch(
      /belongs to whole.*EXECUTION_STATE/s,
    );
    expect((await maestro(['delete', 'whole'], options)).code).toBe(0);
    expect(await json('list')).toMatchObject({ executions: [] });
  });

  it('is drawn, validated and simulated', async () => {
    expect((await maestro(['graph', 'subworkflow.yaml'], options)).out).toContain(
      'letter runs the workflow hello, 3 nodes',
    );
    expect((await maestro(['graph', 'subworkflow.yaml', '--format', 'dot'], options)).out).toContain(
      '"letter (workflow hello, 3 nodes)"',
    );
    expect(await json('graph', 'subworkflow.yaml')).toMatchObject({
      subworkflows: { letter: { workflow_id: 'hello', node_count: 3 } },
    });
    expect(await json('simulate', 'subworkflow.yaml', '--seeds', '20')).toMatchObject({ surprises: [] });
  });

  it('goes on after its process was killed in the middle of it, and after it was cancelled in between', async () => {
    const inner = (marker: string): string => `
workflow: { id: inner, name: Inner }
nodes:
  - { id: first, name: First, type: custom, run: 'echo first >> ran-${marker}' }
  - id: second
    name: Second
    type: custom
    dependencies: [first]
    run: 'echo second >> ran-${marker}; if [ ! -e go-${marker} ]; then sleep 60; fi; echo "{\\"done\\":true}"'
`;
    for (const marker of ['on', 'off']) {
      writeFileSync(join(folder.path, `inner-${marker}.yaml`), inner(marker));
      const outer = `
workflow: { id: outer, name: Outer }
nodes:
  - { id: sub, name: Sub, type: subworkflow, workflow: ./inner-${marker}.yaml }
  - { id: after, name: After, type: custom, dependencies: [sub], run: cat }
`;
      writeFileSync(join(folder.path, 'outer.yaml'), outer);
      const running = start(['run', 'outer.yaml', '--id', marker], options);
      await running.until(/waiting sub: runs as/);
      for (let seen = false; !seen;) {
        const { out } = await maestro(['show', `${marker}+sub.0.1`, '--json'], options);
        seen = out.includes('"completed_nodes": 1') || out.includes('"completed_nodes":1');
      }
      running.child.kill('SIGKILL');
      await running.finished;
      writeFileSync(join(folder.path, `go-${marker}`), '');
      if (marker === 'off') {
        // Nobody runs them: the parent is cancelled, and its child with it.
        expect((await maestro(['cancel', marker], options)).code).toBe(0);
        await maestro(['recover', '--list'], options);
        expect(await json('show', `${marker}+sub.0.1`)).toMatchObject({ status: 'cancelled' });
        continue;
      }
      const resumed = await maestro(['resume', marker], options);
      expect(resumed.code, resumed.err).toBe(0);
      expect(await json('show', marker)).toMatchObject({
        status: 'completed',
        node_outputs: { after: { dependency_outputs: { sub: { second: { done: true } } } } },
        children: [{ status: 'completed' }],
      });
    }
  }, 60_000);
});
