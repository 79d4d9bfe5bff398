import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TEMPLATES } from '../support/template-run.js';
import { maestro, makeFolder } from './support/maestro.js';

const folder = makeFolder();
const options = { cwd: folder.path };
beforeAll(() => cpSync(join(TEMPLATES, 'hello'), folder.path, { recursive: true }));
afterAll(folder.remove);

describe('the example of queues', () => {
  it('runs, the higher priority first, and says what each node is in', async () => {
    const given = ['--queue', 'gpu=3', '--queue', 'api=8,10/s'];
    const run = await maestro(['run', 'queues.yaml', '--mode', 'dag_parallel', ...given], options);
    expect(run.code, run.err).toBe(0);
    const { out } = await maestro(['events', 'last', '--type', 'node_started', '--json'], options);
    const started = out
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { node_id: string }).node_id);
    expect(started).toEqual(['fetch', 'infer', 'train']);
    const node = await maestro(['show', 'last', '--node', 'train'], options);
    expect(node.out).toContain('"queue": "gpu"');
    expect((await maestro(['queues'], options)).out).toContain('no unfinished execution has nodes in queues');
    const { out: drawn } = await maestro(['graph', 'queues.yaml'], options);
    expect(drawn).toContain('  train is in queue gpu, 3 slots\n');
    for (const wrong of ['gpu', 'gpu=x', 'gpu=0', 'gpu=1,2', 'a b=1'])
      expect((await maestro(['run', 'queues.yaml', '--queue', wrong], options)).code, wrong).toBe(2);
  });

  it('is as large as it was set for the store, until that is forgotten', async () => {
    const queues = async (...args: string[]) => {
      const { code, out, err } = await maestro(['queues', ...args], options);
      expect(code, err).toBe(0);
      return out;
    };
    expect(await queues('set', 'gpu', '--slots', '7')).toBe(
      'queue gpu: slots 7, rate no limit, in each process on this store\n',
    );
    await queues('set', 'api', '--rate', '10/m', '--json');
    expect(await queues()).toMatch(
      /^QUEUE +SLOTS .*\napi +no limit +10\/m +the store .*\ngpu +7 +no limit +the store/,
    );
    expect(JSON.parse(await queues('unset', 'gpu', '--json'))).toEqual({ queue: 'gpu', removed: true });
    expect(JSON.parse(await queues('--json'))).toMatchObject({
      queues: [{ queue: 'api', setting: { slots: null, rate: '10/m' }, processes: [], used: 0, waiting: 0 }],
    });
    for (const wrong of [['gpu'], ['a b', '--slots', '1'], ['gpu', '--rate', '1/y'], ['gpu', '--slots', '0']])
      expect((await maestro(['queues', 'set', ...wrong], options)).code, wrong.join(' ')).toBe(2);
  });
});
