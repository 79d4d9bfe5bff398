import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { helloFolder, type Json } from './support/hello-folder.js';
import { maestro, start } from './support/maestro.js';

const { folder, options, json } = helloFolder();

async function eventsOf(id: string, node: string): Promise<Json[]> {
  const { out } = await maestro(['events', id, '--json'], options);
  const events = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Json);
  return events.filter(({ node_id }) => node_id === node);
}

describe('the example of a loop', () => {
  it('repeats until it is over, and shows where it was', async () => {
    const run = await maestro(['run', 'repeat.yaml'], options);
    expect(run.code, run.err).toBe(0);
    expect(run.out + run.err).toMatch(/repeats track after iteration 2/);
    const { execution_id: id, ...document } = await json('show', 'last');
    expect(document).toMatchObject({
      node_outputs: { thanks: { dependency_outputs: { track: { stops: 3 } } } },
      node_states: {
        track: { metadata: { run: 2, repeat: { iteration: 3, max: 10, until: 'node.output.stops >= 3' } } },
      },
    });
    expect((await maestro(['show', 'last'], options)).out).toMatch(
      /track +completed .* iteration 3 of at most 10/,
    );
    const repeated = (await eventsOf(id as string, 'track')).filter((e) => e.event_type === 'node_repeated');
    expect(repeated.map(({ data }) => data)).toMatchObject([
      { iteration: 1, output: { stops: 1 }, delay: 0.1 },
      { iteration: 2, output: { stops: 2 }, delay: 0.1 },
    ]);
  });

  it('says in its drawing what repeats', async () => {
    expect((await maestro(['graph', 'repeat.yaml'], options)).out).toContain(
      'track repeats until node.output.stops >= 3, up to 10 times',
    );
    expect((await maestro(['graph', 'repeat.yaml', '--format', 'dot'], options)).out).toContain(
      '"track (repeats: up to 10 times)"',
    );
    expect(await json('graph', 'repeat.yaml')).toMatchObject({ repeats: { track: { max: 10 } } });
  });

  it('goes on at its iteration after its process was killed: an ended one does not run again', async () => {
    const text = `
workflow: { id: killed, name: Killed }
nodes:
  - id: poll
    name: Poll
    type: custom
    run: |
      echo "$MAESTRO_ITERATION" >> ran
      if [ "$MAESTRO_ITERATION" = 3 ] && [ ! -e go ]; then touch go; echo waits >&2; sleep 60; fi
      cat
    repeat: { until: node.iteration == 4, max: 9 }
`;
    writeFileSync(join(folder.path, 'killed.yaml'), text);
    const running = start(['run', 'killed.yaml', '--id', 'killed'], options);
    await running.until(/repeats poll after iteration 2/);
    running.child.kill('SIGKILL');
    await running.finished;
    writeFileSync(join(folder.path, 'go'), '');
    expect((await maestro(['show', 'killed'], options)).out).toMatch(/poll .* iteration 3 of at most 9/);
    const resumed = await maestro(['resume', 'killed'], options);
    expect(resumed.code, resumed.err).toBe(0);
    const shown = await json('show', 'killed');
    expect(shown).toMatchObject({
      node_outputs: {
        poll: { iteration: 4, previous_output: { iteration: 3, previous_output: { iteration: 2 } } },
      },
      node_states: { poll: { metadata: { run: 3 } } },
    });
    const repeated = (await eventsOf('killed', 'poll')).filter((e) => e.event_type === 'node_repeated');
    expect(repeated.map(({ data }) => (data as Json).iteration)).toEqual([1, 2, 3]);
  });

  it('is simulated: it ends in most seeds, and running out is no surprise', async () => {
    const report = await json('simulate', 'repeat.yaml', '--seeds', '50');
    expect(report).toMatchObject({ surprises: [] });
  });
});
