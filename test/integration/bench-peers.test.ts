import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const FOLDER = resolve(import.meta.dirname, '../../bench/peers');
/** They are installed when somebody measures them. */
const isInstalled = existsSync(resolve(FOLDER, 'node_modules/p-graph'));

interface Found {
  peer: string;
  version: string;
  durability?: string;
  skipped?: string;
  shapes?: Record<string, { nodes: number; executions: number; nodes_per_second: { best: number } }>;
}

function peers(args: string[], env?: object): Promise<{ code: number; out: string; err: string }> {
  return new Promise((done) => {
    const options = { env: { ...process.env, ...env } };
    const child = execFile(process.execPath, [resolve(FOLDER, 'main.mjs'), ...args], options, (_, out, err) =>
      done({ code: child.exitCode!, out, err }),
    );
  });
}

const QUICK = ['--nodes', '24', '--repetitions', '1', '--no-trace'];

describe('npm run bench:peers', { timeout: 120_000 }, () => {
  it('measures this package at every durability, when no peer is asked for', async () => {
    const { code, out } = await peers(['many', '--peers', 'none', ...QUICK, '--json']);
    expect(code).toBe(0);
    const { results } = JSON.parse(out) as { results: Found[] };
    expect(results.map(({ durability }) => durability!.split(':')[0])).toEqual([
      'sync',
      'sync',
      'async',
      'none',
    ]);
    for (const { shapes } of results) {
      expect(shapes!.many).toMatchObject({ nodes: 24, executions: 4 });
      expect(shapes!.many.nodes_per_second.best).toBeGreaterThan(0);
    }
  });

  it('says what there is', async () => {
    expect((await peers(['--help'])).out).toContain('OpenWorkflow');
    expect(await peers(['ring'])).toMatchObject({ code: 2, err: expect.stringContaining('no shape ring') });
    expect(await peers(['--peers', 'Airflow'])).toMatchObject({ code: 2 });
    expect(await peers(['--nodes', 'x'])).toMatchObject({ code: 2 });
  });

  it.skipIf(!isInstalled)('runs peers on the same graphs, every node once', async () => {
    const wanted = ['p-graph', 'async.auto', 'XState'];
    const { code, out } = await peers(['chain', 'layered', '--peers', wanted.join(';'), ...QUICK, '--json']);
    expect(code).toBe(0);
    const results = (JSON.parse(out) as { results: Found[] }).results.slice(-3);
    expect(results.map(({ peer }) => peer)).toEqual(wanted);
    for (const { shapes, durability } of results) {
      expect(durability).toContain('none');
      expect(Object.values(shapes!).map(({ nodes }) => nodes)).toEqual([24, 24]);
    }
  });

  it.skipIf(!isInstalled)('says which server there is not', async () => {
    const args = ['chain', '--peers', 'BullMQ', ...QUICK];
    const { code, out } = await peers(args, { PATH: '/nowhere' });
    expect(code).toBe(0);
    expect(out).toContain('BullMQ is skipped: there is no redis-server (Debian: apt install redis-server)');
  });
});
