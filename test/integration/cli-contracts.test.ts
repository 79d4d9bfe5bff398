import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TEMPLATES } from '../support/template-run.js';
import { maestro, makeFolder } from './support/maestro.js';

const folder = makeFolder();
const options = { cwd: folder.path };
beforeAll(() => cpSync(join(TEMPLATES, 'hello'), folder.path, { recursive: true }));
afterAll(folder.remove);

describe('the example of contracts', () => {
  it('runs, and shows what became of each contract', async () => {
    const run = await maestro(['run', 'contracts.yaml', '--mode', 'dag_parallel'], options);
    expect(run.code, run.err).toBe(0);
    const { out } = await maestro(['show', 'last'], options);
    expect(out).toContain('prices verified, described verified with warnings');
    expect(out).toMatch(/list +completed .*contract described verified_with_warnings/);
    const graph = await maestro(['graph', 'contracts.yaml'], options);
    expect(graph.out).toContain('contract prices (blocking): promised by list, needed by total, publish');
  });

  it('fails where an output does not fit, and names the place', async () => {
    const text = readFileSync(join(folder.path, 'contracts.yaml'), 'utf8');
    writeFileSync(join(folder.path, 'broken.yaml'), text.replace('"cents":390', '"cents":-3'));
    const run = await maestro(['run', 'broken.yaml', '--mode', 'dag_parallel'], options);
    expect(run.code).toBe(1);
    expect(run.out + run.err).toContain(
      'node "list" breached contract "prices" at /items/1/cents: items.1.cents must be >= 0, but is -3 [CONTRACT_BREACHED]',
    );
    const { out } = await maestro(['show', 'last'], options);
    expect(out).toContain('prices breached (by list)');
  });
});
