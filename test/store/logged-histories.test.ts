import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fenceKey } from '../../src/store/keys.js';
import { collect, put } from '../contracts/kv.contract.js';
import { settled, text, unless, world } from '../support/logged-world.js';

describe('any commits, deaths and takeovers', () => {
  type Step = 'soon' | 'now' | 'fire' | 'die' | 'close' | 'absorb' | 'torn';
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.constant<Step>('soon') },
    { weight: 2, arbitrary: fc.constant<Step>('now') },
    { weight: 2, arbitrary: fc.constant<Step>('fire') },
    { weight: 1, arbitrary: fc.constantFrom<Step>('die', 'close', 'absorb', 'torn') },
  );

  test('what is in the store afterwards is exactly what was acknowledged, in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const each = world(3);
        each.rows.close = async () => {};
        let life = 0;
        let kv = each.open();
        let fenced = false;
        const acknowledged: string[] = [];
        const succeed = async (): Promise<void> => {
          const owner = `o${life++}`;
          kv = each.open();
          await kv.absorb(owner);
          fenced = false;
        };
        for (const [n, now] of steps.entries()) {
          const owner = `o${life}`;
          const ops = [put(`k/${String(n).padStart(3, '0')}`, owner), put('last', `${n}`)];
          if (now === 'soon' || now === 'now') {
            const done = await kv.commit(ops, [unless(owner)], now).then(
              () => true,
              (error: unknown) => (expect(error).toMatchObject({ code: 'STORE_CONFLICT' }), false),
            );
            expect(done).toBe(!fenced);
            if (done) acknowledged.push(ops[0].key);
            await settled();
          } else if (now === 'fire') await each.clock.fire();
          else if (now === 'close') {
            await kv.close();
            await succeed();
          } else if (now === 'die') await succeed();
          else if (now === 'absorb') {
            await each.open().absorb(owner);
            // Without a log there is nothing to keep it from.
            fenced ||= (await each.rows.get(fenceKey(owner))) !== undefined;
          } else {
            // It dies in the middle of a write. The little that a frame holds may be there already, or a part of that.
            each.logs.tornAt = ((n % 10) / 10) ** 3;
            await kv.commit(ops, [unless(owner)], 'soon').catch(() => {});
            each.logs.tornAt = null;
            await each.open().absorb(owner);
            if ((await each.rows.get(ops[0].key)) !== undefined) acknowledged.push(ops[0].key);
            await succeed();
          }
        }
        await each.open().absorb(`o${life}`);
        expect(await collect(each.rows.keys({ start: 'k/', end: 'k0' }))).toEqual(acknowledged);
        const last = acknowledged.at(-1);
        expect(await text(each.rows, 'last')).toBe(last && String(Number(last.slice(2))));
      }),
      { numRuns: 300 },
    );
  });
});
