import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canTrace } from '../../bench/fsyncs.js';
import { maestro, makeFolder, start } from './support/maestro.js';

interface Result {
  name: string;
  nodes: number;
  executions: number;
  nodes_per_second: { best: number; worst: number };
  latency_ms: { p50: number; p99: number } | null;
  commits: number;
  bytes_per_node: number;
  peak_rss_mib: number;
  efficiency: number | null;
  fsyncs: { counted_by: string; per_execution: number; per_commit: number };
}

const TRACED = ['--repetitions', '1', '--workers', '1'];
const QUICK = [...TRACED, '--no-trace', '--cold'];

describe('maestro bench', () => {
  let folder: ReturnType<typeof makeFolder>;
  beforeAll(() => {
    folder = makeFolder({
      'w.yaml':
        "workflow: { id: w, name: W }\nnodes:\n  - { id: a, name: a, type: custom, run: 'false' }\n  - { id: b, name: b, type: custom, run: 'false', dependencies: [a] }\n",
      'none.json': '{}',
    });
  });
  afterAll(() => folder.remove());
  const bench = (...args: string[]) => maestro(['bench', ...args], { cwd: folder.path });
  const results = async (...args: string[]) => {
    const { code, out, err } = await bench(...args, ...QUICK, '--json');
    expect([code, err]).toEqual([0, '']);
    return (JSON.parse(out) as { results: Result[] }).results;
  };

  it('measures where steps run, and what is stored', async () => {
    const found = await results(
      'layered',
      '--nodes',
      '60',
      '--pool',
      'threads,inline,process',
      '--no-latency',
    );
    expect(found.map(({ name }) => name.split(', ')[2])).toEqual(['threads 1', 'inline 1', 'process 1']);
    for (const each of found) {
      expect(each).toMatchObject({ nodes: 60, executions: 1, latency_ms: null, efficiency: null });
      expect(each.nodes_per_second.best).toBeGreaterThan(0);
      expect(each.commits).toBeGreaterThan(0);
      expect(each.bytes_per_node).toBeGreaterThan(10);
      expect(each.peak_rss_mib).toBeGreaterThan(20);
    }
  });

  it('knows latencies, payloads, busy steps, many executions, and memory', async () => {
    const [spinning] = await results('many', '--nodes', '60', '--body', 'spin:200', '--memory');
    expect(spinning).toMatchObject({ nodes: 60, executions: 10 });
    expect(spinning.latency_ms!.p50).toBeGreaterThanOrEqual(0.2);
    expect(spinning.latency_ms!.p99).toBeGreaterThanOrEqual(spinning.latency_ms!.p50);
    expect(spinning.efficiency).toBeGreaterThan(0);
    expect(spinning.efficiency).toBeLessThanOrEqual(1);
    const [bare, laden] = await Promise.all(
      ['0', '5000'].map((bytes) => results('chain', '--nodes', '20', '--payload', bytes, '--no-latency')),
    );
    expect(laden[0].bytes_per_node - bare[0].bytes_per_node).toBeGreaterThan(4500);
  });

  it('counts what is forced to disk: hardly more than once a commit, and nothing in memory', async () => {
    const args = ['chain', '--nodes', '100', '--no-latency', ...TRACED, '--json'];
    const [onDisk, guessed, inMemory] = await Promise.all(
      [[], ['--no-trace'], ['--memory']].map(async (more) => {
        const { out } = await bench(...args, ...more);
        return (JSON.parse(out) as { results: Result[] }).results[0].fsyncs;
      }),
    );
    if (canTrace()) expect(onDisk.counted_by).toBe('strace');
    for (const found of [onDisk, guessed]) {
      expect(found.per_execution).toBeGreaterThan(99);
      // Twice for each commit of LMDB: the first and the last, and what comes out of the log now and then.
      expect(found.per_commit).toBeGreaterThanOrEqual(1);
      expect(found.per_commit).toBeLessThan(1.8);
    }
    expect(guessed.counted_by).toBe('commits');
    expect(inMemory.per_execution).toBe(0);
  });

  it('takes the graph of a file and runs none of its steps', async () => {
    const [found] = await results('--file', 'w.yaml', '--no-latency');
    expect([found.name, found.nodes]).toEqual(['file w.yaml, noop, threads 1, sync', 2]);
  });

  it('draws charts, and compares reports', async () => {
    const args = ['chain', '--nodes', '5,10', '--svg', 'charts', '--no-latency', ...QUICK];
    const { code, out } = await bench(...args, '--json');
    expect(code).toBe(0);
    expect(readFileSync(join(folder.path, 'charts/rate-by-size.svg'), 'utf8')).toContain('nodes/s');
    expect(existsSync(join(folder.path, 'charts/efficiency-by-task-length.svg'))).toBe(false);
    const report = makeFolder({ 'r.json': out });
    const path = join(report.path, 'r.json');
    const compared = JSON.parse((await bench('compare', path, path, '--json')).out) as {
      comparisons: object[];
    };
    expect(compared.comparisons).toMatchObject([{ ratio: 1, adjusted: 1 }, { ratio: 1 }]);
    expect((await bench('compare', path, path)).out).toContain('within the spread');
    report.remove();
  });

  it.each([
    [['ring'], 2, 'no shape "ring"'],
    [['--body', 'spin'], 2, 'no "spin"'],
    [['--nodes', '10,x'], 2, 'whole number'],
    [['fan', '--nodes', '2'], 2, 'a fan has 3 nodes'],
    [['--file', 'nothing.yaml'], 1, 'nothing.yaml'],
    [['compare', 'none.json', 'none.json'], 2, 'no report'],
    [['compare', 'nothing.json', 'none.json'], 2, 'nothing.json'],
  ])('%j ends with %i', async (args, expected, message) => {
    const { code, err } = await bench(...args, ...(args[0] === 'compare' ? [] : QUICK));
    expect(err).toContain(message);
    expect(err).not.toMatch(/^\s+at /m);
    expect(code).toBe(expected);
  });

  it('reports what it has when it is interrupted', async () => {
    const started = start(['bench', 'chain', '--nodes', '50000', ...QUICK], {
      cwd: folder.path,
    });
    await started.until(/chain 50000/);
    started.child.kill('SIGINT');
    const { code, out } = await started.finished;
    expect(code).toBe(130);
    expect(out).toContain('what the machine can do');
    expect(out).not.toContain('chain 50000');
  });
});
