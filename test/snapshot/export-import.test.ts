import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { createRuntime } from '../../src/runtime/create-runtime.js';
import { exportSnapshot, importSnapshot, verifySnapshot, verifyStore } from '../../src/snapshot/index.js';
import { defineWorkflow, type Workflow } from '../../src/spec/index.js';
import type { Kv } from '../../src/store/kv.js';
import { seal, unseal } from '../../src/store/envelope.js';
import { executionPrefix } from '../../src/store/keys.js';
import { MemoryKv } from '../../src/store/memory-kv.js';
import { dagArbitrary } from '../support/random-dag.js';
import { buryOwners, crashing, simulate } from '../support/simulation.js';
import { outliving } from '../support/outliving-kv.js';

const LARGE = 'x'.repeat(70_000);

interface Case {
  workflow: Workflow;
  seed: number;
  /** Commits before the process dies. */
  commits: number;
}

const cases: fc.Arbitrary<Case> = fc
  .record({ dag: dagArbitrary(20), seed: fc.integer(), commits: fc.integer({ min: 1, max: 60 }) })
  .map(({ dag, seed, commits }) => {
    const builder = defineWorkflow<Record<string, unknown>>({ id: 'random', onFailure: 'continue' });
    const sorted = [...dag.nodes].sort((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)));
    for (const { id, dependencies } of sorted) {
      builder.node(id, {
        dependsOn: [...dependencies],
        retry: { maxAttempts: 2, delaySeconds: 1 },
        execute: () => null,
      });
    }
    return { workflow: builder.build(), seed, commits };
  });

/** A store with an execution that has ended, or was interrupted at some commit. */
async function storeOf({ workflow, seed, commits }: Case): Promise<Kv> {
  const kv = new MemoryKv();
  const open: Kv & { dead: Promise<void> } = crashing(kv, commits, true);
  const { runtime, clock } = await simulate(open, {
    seed,
    workflows: [workflow],
    slots: 3,
    lossRate: 0.1,
    fateOf: (nodeId, attempt) => {
      const random = seededRandom(seed + attempt * 31 + Number(nodeId.slice(1)) * 7);
      const output = JSON.stringify(random() < 0.1 ? LARGE : { [nodeId]: attempt, 'ü\u2028': '\ud800' });
      return { outcome: random() < 0.2 ? 'fail' : 'ok', durationMs: 5 + random() * 10, output };
    },
  });
  const work = runtime.start(workflow, { from: 'here' }, { executionId: 'e1' }).then((e) => e.result);
  await clock.run(Promise.race([work, open.dead]));
  await buryOwners(kv);
  return outliving(kv);
}

async function linesOf(kv: Kv): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of exportSnapshot(kv)) lines.push(line);
  return lines;
}

const source = (lines: readonly string[]) =>
  async function* () {
    for (const line of lines) yield await Promise.resolve(line.replace(/\n$/, ''));
  };

async function everythingOf(kv: Kv): Promise<unknown> {
  const runtime = await createRuntime({ store: kv, recover: false });
  const events: unknown[] = [];
  const document = await runtime.get('e1');
  if (document !== undefined) for await (const event of runtime.events('e1')) events.push(event);
  await runtime.close();
  return { document, events };
}

describe('an export', () => {
  it('imported into another store gives the same executions, sound and resumable', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (each) => {
        const from = await storeOf(each);
        const lines = await linesOf(from);
        const to = outliving(new MemoryKv());
        await importSnapshot(to, source(lines));
        expect(await everythingOf(to)).toEqual(await everythingOf(from));
        expect((await verifyStore(to)).damage).toEqual([]);
        expect((await verifyStore(from)).damage).toEqual([]);
        // Exported again it is the same, but for the time in the header and the checksum at the end.
        expect((await linesOf(to)).slice(1, -1)).toEqual(lines.slice(1, -1));
      }),
      { numRuns: 60 },
    );
  });

  it('does not survive the change of any byte', async () => {
    const lines = await linesOf(
      await storeOf({ ...fc.sample(cases, { seed: 7, numRuns: 1 })[0], commits: 12 }),
    );
    const text = lines.join('');
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at] ^= 1 << (at % 8);
      const changed =
        flipped.toString('latin1') === bytes.toString('latin1') ? [] : flipped.toString().split('\n');
      if (changed.at(-1) === '') changed.pop();
      await expect(verifySnapshot(source(changed)), `byte ${at}`).rejects.toMatchObject({
        code: expect.stringMatching(/SNAPSHOT_CORRUPT|SNAPSHOT_VERSION/) as string,
      });
    }
  });

  it('does not survive the loss, doubling or exchange of a line', async () => {
    const lines = await linesOf(
      await storeOf({ ...fc.sample(cases, { seed: 9, numRuns: 1 })[0], commits: 12 }),
    );
    for (let at = 0; at < lines.length; at++) {
      const damaged = [
        lines.filter((_, i) => i !== at),
        lines.flatMap((line, i) => (i === at ? [line, line] : [line])),
        lines.slice(0, at),
      ];
      for (const each of damaged)
        await expect(verifySnapshot(source(each))).rejects.toMatchObject({ code: 'SNAPSHOT_CORRUPT' });
    }
  });

  it('of a newer release is refused before anything is written', async () => {
    const to = outliving(new MemoryKv());
    const header =
      '{"type":"snapshot","product":"maestro-dag","version":2,"created_at":"2026-01-01T00:00:00.000Z"}';
    await expect(importSnapshot(to, source([header]))).rejects.toMatchObject({ code: 'SNAPSHOT_VERSION' });
  });
});

describe('a collision', () => {
  const ended: Case = { ...fc.sample(cases, { seed: 3, numRuns: 1 })[0], commits: 10_000 };

  it('is refused, skipped, or replaced', async () => {
    const kv = await storeOf(ended);
    const before = await everythingOf(kv);
    const lines = await linesOf(kv);
    await expect(importSnapshot(kv, source(lines))).rejects.toMatchObject({ code: 'EXECUTION_EXISTS' });
    expect(await importSnapshot(kv, source(lines), { onCollision: 'skip' })).toEqual({
      imported: [],
      skipped: ['e1'],
      renamed: {},
    });
    expect(await importSnapshot(kv, source(lines), { onCollision: 'replace' })).toEqual({
      imported: ['e1'],
      skipped: [],
      renamed: {},
    });
    expect(await everythingOf(kv)).toEqual(before);
    expect((await verifyStore(kv)).damage).toEqual([]);
  });
});

describe('rows of other kinds', () => {
  it('travel along, also under a new id, and are checked', async () => {
    const kv = await storeOf({ ...fc.sample(cases, { seed: 3, numRuns: 1 })[0], commits: 10_000 });
    const rows = ['a', 'l/0001', 'l/0002', 'sig/x', 'z'];
    for (const row of rows) {
      const key = executionPrefix('e1') + row;
      await kv.commit([{ op: 'put', key, value: seal(key, Buffer.from(`value of ${row}`)) }]);
    }
    const lines = await linesOf(kv);
    const { imported, renamed } = await importSnapshot(kv, source(lines), { onCollision: 'rename' });
    expect({ imported, renamed }).toEqual({ imported: ['e1-2'], renamed: { e1: 'e1-2' } });
    for (const row of rows) {
      const key = executionPrefix('e1-2') + row;
      expect(Buffer.from(unseal(key, (await kv.get(key))!)).toString()).toBe(`value of ${row}`);
    }
    expect(await verifyStore(kv)).toEqual({ executions: 2, damage: [] });
    const moved = executionPrefix('e1-2') + 'sig/x';
    await kv.commit([{ op: 'put', key: moved, value: Buffer.from('damaged') }]);
    expect((await verifyStore(kv)).damage).toMatchObject([{ execution_id: 'e1-2' }]);
  });
});

describe('an import that is interrupted at any commit', () => {
  it('leaves nothing to be seen, and works when it is tried again', async () => {
    const from = await storeOf({ ...fc.sample(cases, { seed: 3, numRuns: 1 })[0], commits: 10_000 });
    const lines = await linesOf(from);
    for (let commits = 0; ; commits++) {
      const kv = new MemoryKv();
      const dying = crashing(kv, commits, commits % 2 === 0);
      const done = await Promise.race([
        importSnapshot(dying, source(lines)),
        dying.dead.then(() => 'dead' as const),
      ]);
      if (done !== 'dead') break;
      const found = (await everythingOf(outliving(kv))) as { document?: object };
      if (found.document === undefined) await importSnapshot(outliving(kv), source(lines));
      expect(await everythingOf(outliving(kv))).toEqual(await everythingOf(from));
      expect((await verifyStore(outliving(kv))).damage).toEqual([]);
    }
  });
});
