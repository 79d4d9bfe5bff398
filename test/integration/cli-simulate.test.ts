import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SimulationReport } from '../../src/simulation/index.js';
import { maestro, makeFolder, type Finished } from './support/maestro.js';

let folder: ReturnType<typeof makeFolder>;
beforeAll(() => {
  folder = makeFolder({
    'steps.mjs': `
import { writeFileSync } from 'node:fs';
writeFileSync('loaded.txt', '');
export const step = () => writeFileSync('ran.txt', '');
`,
    'good.yaml': `
workflow: { id: good, name: Good }
nodes:
  - { id: load, name: Load, type: custom, uses: ./steps.mjs#step, retry_policy: { max_attempts: 3 } }
  - { id: touch, name: Touch, type: custom, run: touch ran.txt, timeout_seconds: 5 }
  - { id: rich, name: Rich, type: conditional, dependencies: [load, touch], condition: outputs.load.amount > 1000, run: touch ran.txt }
`,
    'bad.yaml': `
workflow: { id: bad, name: Bad }
nodes:
  - { id: load, name: Load, type: custom, run: touch ran.txt, metadata: { simulate: { outputs: [{ n: 1 }, {}] } } }
  - { id: never, name: Never, type: conditional, dependencies: [load], condition: outputs.load.n == 5, run: touch ran.txt }
`,
    'broken.yaml': 'workflow: { id: w }\nnodes: []\n',
    'wrong.yaml': 'load: { failure_rate: 2 }\nloads: {}\n',
    'odd.yaml': `
workflow: { id: odd, name: Odd }
nodes:
  - { id: a, name: A, type: custom, run: x, metadata: { simulate: { failures: 2 } } }
`,
  });
});
afterAll(() => folder.remove());

const simulate = (...args: string[]): Promise<Finished> =>
  maestro(['simulate', ...args], { cwd: folder.path });

describe('maestro simulate', () => {
  it('executes nothing, stores nothing, and finds nothing in a good workflow', async () => {
    const before = readdirSync(folder.path);
    const { code, out, err } = await simulate(
      'good.yaml',
      '--seeds',
      '60',
      '--faults',
      'crash,timeout,error',
    );
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(
      /^good: 60 seeds \(1–60\), 4 workers, dag_parallel, faults: crash \d+×, timeout \d+×, error \d+×\n/,
    );
    expect(out).toMatch(/surprising ends: none\nnodes that never ran: none\n/);
    expect(out).toMatch(
      /min \S+ \(seed \d+\), p50 \S+ \(seed \d+\), p95 \S+ \(seed \d+\), max \S+ \(seed \d+\)\n/,
    );
    expect(readdirSync(folder.path)).toEqual(before);
  });

  it('finds what is wrong, and prints the command that shows it', async () => {
    const { code, out } = await simulate('bad.yaml', '--seeds', '30');
    expect(code).toBe(1);
    expect(out).toMatch(/✗ condition_failed never: .*field not found: n/);
    expect(out).toMatch(/✗ never: failed \d+×, skipped \d+×; condition: outputs\.load\.n == 5/);
    const [, seed] = /again: maestro simulate bad\.yaml --seeds 1 --seed (\d+)\n/.exec(out)!;
    const again = await simulate('bad.yaml', '--seeds', '1', '--seed', seed);
    expect(again.code).toBe(1);
    expect(again.out).toMatch(/^\+0s +the execution is started\n[^]*never fails: condition/);
  });

  it('gives the same document for the same seeds, byte for byte', async () => {
    const args = ['good.yaml', '--seeds', '25', '--seed', '7', '--faults', 'crash,timeout,error', '--json'];
    const [one, other] = await Promise.all([simulate(...args), simulate(...args)]);
    expect(other.out).toBe(one.out);
    expect(JSON.parse(one.out) as SimulationReport).toMatchObject({
      seeds: { first: 7, wanted: 25, run: 25 },
    });
  });

  it.each<[string[], number, RegExp]>([
    [[], 2, /missing required argument/],
    [['nowhere.yaml'], 1, /there is no file nowhere\.yaml/],
    [['broken.yaml'], 1, /SPEC_INVALID|workflow\.name is missing/],
    [['good.yaml', '--seeds', '0'], 2, /whole number of at least 1/],
    [['good.yaml', '--seed', '-1'], 2, /whole number of at least 0/],
    [['good.yaml', '--seeds', '99999999999'], 2, /option seeds is 99999999999/],
    [['good.yaml', '--workers', 'many'], 2, /whole number of at least 1/],
    [['good.yaml', '--faults', 'crash,fire'], 2, /"fire" is no fault: there are crash, timeout, error/],
    [['good.yaml', '--faults', ''], 2, /"" is no fault/],
    [['good.yaml', '--limit', 'soon'], 2, /Write a time span/],
    [['good.yaml', '--at', '30m'], 2, /Write a date after 1970/],
    [['good.yaml', '--mode', 'fast'], 2, /Allowed choices/],
    [['good.yaml', '--context', '[1]'], 1, /must hold a JSON object/],
    [['good.yaml', '--outcomes', 'nowhere.yaml'], 2, /there is no file nowhere\.yaml/],
    [['good.yaml', '--outcomes', 'steps.mjs'], 2, /OUTCOMES_INVALID/],
    [
      ['good.yaml', '--outcomes', 'wrong.yaml'],
      2,
      /wrong\.yaml:1:1[^]*wrong\.yaml:2:1.*no node "loads" \(did you mean "load"\?\)/,
    ],
    [['odd.yaml'], 2, /metadata\.simulate: node "a": .*additional properties: failures/],
  ])('says what is wrong with %j', async (args, code, message) => {
    const { code: seen, out, err } = await simulate(...args);
    expect([seen, out]).toEqual([code, '']);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n\s+at .*[:(]|internal error/);
  });
});
