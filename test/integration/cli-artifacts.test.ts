import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TEMPLATES } from '../support/template-run.js';
import { maestro, makeFolder, start } from './support/maestro.js';

const folder = makeFolder();
const options = { cwd: folder.path };
beforeAll(() => cpSync(join(TEMPLATES, 'hello'), folder.path, { recursive: true }));
afterAll(folder.remove);

interface Listed {
  artifacts: { node_id: string; path: string; verified?: string; folder: string; size_bytes: number }[];
}

describe('the example of artifacts', () => {
  it('is listed, verified and copied out', async () => {
    const run = await maestro(['run', 'artifacts.yaml'], options);
    expect(run.code, run.err).toBe(0);
    const listed = await maestro(['artifacts', 'last'], options);
    expect(listed.out).toMatch(/numbers +data\/numbers\.txt +3893 +text\/plain +[0-9a-f]{16} +stored/);
    const verified = await maestro(['artifacts', 'last', '--verify', '--copy', 'out'], options);
    expect(verified.code, verified.err).toBe(0);
    expect(readFileSync(join(folder.path, 'out/sum/sum.txt'), 'utf8')).toBe('500500\n');
    const again = await maestro(['artifacts', 'last', '--copy', 'out', '--node', 'sum'], options);
    expect(again).toMatchObject({ code: 2, err: expect.stringContaining('FILE_EXISTS') as string });
    const { out } = await maestro(['artifacts', 'last', '--json'], options);
    const [{ folder: where }] = (JSON.parse(out) as Listed).artifacts;
    writeFileSync(join(where, 'data/numbers.txt'), 'changed');
    const changed = await maestro(['artifacts', 'last', '--verify'], options);
    expect(changed).toMatchObject({ code: 1, out: expect.stringMatching(/numbers.txt .*changed/) as string });
  });

  it('has whole files only, whenever its process is killed', async () => {
    const nodes = Array.from({ length: 24 }, (_, k) => ({
      id: `n${k}`,
      name: `n${k}`,
      type: 'custom',
      run: `mkdir -p "$MAESTRO_ARTIFACT_DIR"; head -c 3000000 /dev/urandom > "$MAESTRO_ARTIFACT_DIR/data.bin"; echo '{"artifacts":["data.bin"]}'`,
    }));
    const spec = { workflow: { id: 'killed', name: 'Killed' }, nodes };
    writeFileSync(join(folder.path, 'killed.json'), JSON.stringify(spec));
    const args = ['run', 'killed.json', '--mode', 'dag_parallel', '--id', 'k'];
    const run = start(args, options);
    await run.until(/completed n\d+[^]*completed n\d+/);
    run.child.kill('SIGKILL');
    await run.finished;
    const listed = async (): Promise<Listed['artifacts']> => {
      const { out, err } = await maestro(['artifacts', 'k', '--verify', '--json'], options);
      expect(out, err).not.toBe('');
      return (JSON.parse(out) as Listed).artifacts;
    };
    const survived = await listed();
    expect(survived.length).toBeGreaterThan(1);
    for (const { verified, size_bytes } of survived)
      expect({ verified, size_bytes }).toEqual({ verified: 'ok', size_bytes: 3_000_000 });
    const shown = await maestro(['show', 'k', '--json'], options);
    const { node_states } = JSON.parse(shown.out) as { node_states: Record<string, { status: string }> };
    const completed = Object.entries(node_states).filter(([, { status }]) => status === 'completed');
    expect(survived.map(({ node_id }) => node_id).sort()).toEqual(completed.map(([id]) => id).sort());
    const resumed = await maestro(['resume', 'k'], options);
    expect(resumed.code, resumed.err).toBe(0);
    const all = await listed();
    expect(all).toHaveLength(24);
    expect(all.every(({ verified }) => verified === 'ok')).toBe(true);
  });
});
