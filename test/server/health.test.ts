import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { MaestroError, MANY_EXECUTIONS, defineWorkflow, type Kv } from '../../src/runtime/index.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { services } from './support/open-service.js';

const open = services();
const quick = defineWorkflow({ id: 'quick' })
  .node('one', { execute: () => null })
  .build();

interface Health {
  status: string;
  reasons: string[];
  warnings: string[];
}
const healthOf = async ({ get }: Awaited<ReturnType<typeof open>>) =>
  JSON.parse((await get('/health')).body) as Health;

interface Faults {
  commit: boolean;
  read: boolean;
  hang: boolean;
  /** Commits are not answered until `answer` is called. */
  silent: boolean;
  answer: () => void;
}

/** A store of which a part stops to work. */
function failing(): { kv: Kv; fail: Faults } {
  const kv = new MemoryKv();
  const fail: Faults = { commit: false, read: false, hang: false, silent: false, answer: () => {} };
  const asked = (): void => {
    if (fail.read) throw new MaestroError('STORE_CORRUPT', 'a bad sector');
  };
  return {
    fail,
    kv: {
      get: async (key) => (asked(), kv.get(key)),
      scan: (range) => (asked(), kv.scan(range)),
      keys: (range) => (asked(), fail.hang ? silence() : kv.keys(range)),
      commit: async (ops, guards) => {
        if (fail.silent) await new Promise<void>((resolve) => (fail.answer = resolve));
        return fail.commit
          ? Promise.reject(new MaestroError('STORE_COMMIT', 'no space'))
          : kv.commit(ops, guards);
      },
      close: () => kv.close(),
    },
  };
}

async function blocked(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
  await new Promise((resolve) => setTimeout(resolve, 50));
}

async function* silence(): AsyncGenerator<string> {
  await new Promise(() => {});
  yield '';
}

describe('/health is degraded', () => {
  it('by a store that cannot be read', async () => {
    const { kv, fail } = failing();
    const service = await open({}, { store: kv });
    fail.read = true;
    expect(await healthOf(service)).toMatchObject({ status: 'degraded', reasons: ['store: a bad sector'] });
  });

  it('by a store that does not answer', async () => {
    const { kv, fail } = failing();
    const service = await open({}, { store: kv });
    fail.hang = true;
    const { reasons } = await healthOf(service);
    expect(reasons).toEqual(['store: no answer within 2000 ms']);
    fail.hang = false;
  });

  it('by a commit that failed, after which it is not ready either', async () => {
    const { kv, fail } = failing();
    const service = await open({}, { store: kv });
    await (
      await service.runtime.start(quick)
    ).result;
    fail.commit = true;
    await service.runtime.start(quick).catch(() => {});
    expect(await healthOf(service)).toMatchObject({ status: 'degraded', reasons: ['store: no space'] });
    expect((await service.get('/health/ready')).status).toBe(503);
    expect((await service.get('/health/live')).status).toBe(200);
    expect((await service.get('/metrics')).body).toContain('\nmaestro_commits_total{result="failed"} 1\n');
  });

  it('by a commit that is not answered, before the runtime gives up on it', async () => {
    const { kv, fail } = failing();
    const service = await open({}, { store: kv });
    await (
      await service.runtime.start(quick)
    ).result;
    fail.silent = true;
    const starting = service.runtime.start(quick);
    starting.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    const { reasons } = await healthOf(service);
    expect(reasons).toEqual([expect.stringMatching(/^store: a commit has taken \d+ s so far$/)]);
    fail.silent = false;
    fail.answer();
    await starting;
  });

  it('by an event loop that was blocked', async () => {
    const service = await open({ port: 0 });
    await service.service.listen();
    await blocked(600);
    const { reasons } = await healthOf(service);
    expect(reasons).toEqual([expect.stringMatching(/^event loop: \d{3,} ms late$/)]);
  });

  it('not by what blocked it before the service listened: modules are loaded then', async () => {
    const service = await open({ port: 0, healthLimits: { maxDelayMs: 1000 } });
    await blocked(1500);
    await service.service.listen();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await healthOf(service)).reasons).toEqual([]);
  });

  it('by a disk with less room than is asked for', async () => {
    const service = await open({ storePath: tmpdir(), healthLimits: { minFreeBytes: 2 ** 60 } });
    const { reasons } = await healthOf(service);
    expect(reasons).toContainEqual(expect.stringMatching(/^disk: \d+ MiB free$/));
  });
});

describe('/health warns', () => {
  it('of a crowded store, and is healthy', async () => {
    const service = await open({ healthLimits: { maxDelayMs: Infinity } });
    const starts = Array.from({ length: MANY_EXECUTIONS + 1 }, () => service.runtime.start(quick));
    for (const execution of await Promise.all(starts)) await execution.result;
    const { status, warnings } = await healthOf(service);
    expect(status).toBe('healthy');
    expect(warnings).toEqual([expect.stringMatching(/^1001 executions are stored/)]);
  });
});
