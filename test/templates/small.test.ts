/* eslint-disable @typescript-eslint/no-unsafe-member-access --
   templates are plain JavaScript, without types */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runTemplate, templateModule } from '../support/template-run.js';

let out: string;
beforeEach(async () => {
  out = await mkdtemp(join(tmpdir(), 'maestro-template-'));
});
afterEach(() => rm(out, { recursive: true, force: true }));

describe('hello', () => {
  it('writes a letter from what its two dependencies found', async () => {
    const { outputs } = await runTemplate('hello/workflow.yaml', out, { name: 'Ada' });
    const [path] = outputs.letter.artifacts as string[];
    expect(await readFile(path, 'utf8')).toBe(`Hello, Ada!\nSent from ${process.platform}.\n`);
  });
});

describe('sdlc', () => {
  it.each(['linear', 'parallel'])(
    '%s: each phase writes a document built on the phases before',
    async (kind) => {
      const { outputs, progress } = await runTemplate(`sdlc/${kind}.yaml`, out, {
        requirement: 'Lend tools to neighbours',
        phase_seconds: 0,
      });
      expect(Object.keys(outputs)).toHaveLength(6);
      const testing = outputs.phase_testing;
      expect(testing.based_on).toEqual(
        kind === 'linear' ? ['frontend_development'] : ['backend_development', 'frontend_development'],
      );
      const document = await readFile((testing.artifacts as string[])[0], 'utf8');
      expect(document).toContain('> Lend tools to neighbours');
      expect(document).toContain('Frontend development: View for "neighbours"');
      expect(progress.filter(({ nodeId }) => nodeId === 'phase_review').at(-1)?.fraction).toBe(1);
    },
  );

  it('refuses a requirement out of bounds and a phase it does not know', async () => {
    for (const requirement of ['', ' ', 7, 'x'.repeat(10_001)]) {
      await expect(runTemplate('sdlc/linear.yaml', out, { requirement })).rejects.toThrow('1 to 10,000');
    }
    const { executePhase } = await templateModule('sdlc', 'steps.mjs');
    await expect(executePhase({ nodeConfig: { phase: 'toString' } })).rejects.toThrow('unknown phase');
  });

  it('stops at once when cancelled', async () => {
    const cancelled = AbortSignal.abort();
    await expect(
      runTemplate('sdlc/linear.yaml', out, { phase_seconds: 1000 }, cancelled),
    ).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('pipeline', () => {
  it('reports sums, the best products and unusual orders, and names the wrong rows', async () => {
    const { outputs, skipped } = await runTemplate('pipeline/workflow.yaml', out);
    expect(skipped).toEqual([]);
    expect(outputs.validate).toMatchObject({ accepted: 238, rejected: [{ row: 88 }, { row: 150 }] });
    const regions = outputs.by_region.regions as { orders: number; amount_cents: number }[];
    const products = outputs.top_products.products as unknown[];
    expect(regions.reduce((sum, region) => sum + region.orders, 0)).toBe(238);
    expect(regions.map((region) => region.amount_cents)).toEqual(
      regions.map((region) => region.amount_cents).sort((a, b) => b - a),
    );
    expect(products).toHaveLength(5);
    const fence = outputs.outliers.fence_cents as number;
    for (const order of outputs.outliers.orders) expect(order.amountCents).toBeGreaterThan(fence);
    const text = await readFile(outputs.report.report as string, 'utf8');
    expect(text).toContain('238 rows accepted, 2 rejected.');
    expect(text).toContain('order 1088: quantity -3');
  });

  it('fails when more rows are wrong than allowed', async () => {
    await expect(runTemplate('pipeline/workflow.yaml', out, { max_rejected_share: 0 })).rejects.toThrow(
      '2 of 240 rows are wrong',
    );
  });

  it('does without unusual orders when their node was skipped', async () => {
    const { outputs } = await runTemplate('pipeline/workflow.yaml', out);
    const { report } = await templateModule('pipeline', 'steps.mjs');
    const { outliers: _, ...others } = outputs;
    const output = await report({ dependencyOutputs: others, artifactDir: () => out });
    expect(output.unusual_orders).toBeNull();
    expect(await readFile(output.report as string, 'utf8')).toContain('Too few orders to tell.');
  });

  it('reads CSV with quotes, commas and line ends inside', async () => {
    const { parseCsv } = await templateModule('pipeline', 'steps.mjs');
    expect(parseCsv('a,b\r\n"x, ""y""\nz",2\n\n,\n')).toEqual([
      ['a', 'b'],
      ['x, "y"\nz', '2'],
      ['', ''],
    ]);
    expect(parseCsv('a,b')).toEqual([['a', 'b']]);
    expect(parseCsv('')).toEqual([]);
  });
});
