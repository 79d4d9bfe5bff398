import { describe, expect, test } from 'vitest';
import type { Kv } from '../../src/store/kv.js';
import { scheduleChange, type ScheduleRow } from '../../src/store/schedule-rows.js';
import { record, SPEC, withStoreOf } from '../support/store-fixtures.js';

/** How an ExecutionStore keeps schedules, over any adapter. `open` gives a new, empty Kv; the suite closes it. */
export function schedulesContract(name: string, open: () => Promise<Kv>): void {
  const withStore = withStoreOf(open);

  describe(`schedules contract: ${name}`, () => {
    const schedule: ScheduleRow = {
      workflowId: 'w1',
      workflowName: 'First',
      definitionHash: 'hash1',
      baseDir: '/base',
      schedule: { cron: '* * * * *' },
      paused: false,
      createdAtMs: 1,
      afterMs: 1,
      bufferedMs: null,
      skippedMs: null,
      last: null,
    };
    const conflict = { code: 'STORE_CONFLICT' };

    test(
      'change only when they are as they were seen',
      withStore(async (store) => {
        await store.changeSchedule(undefined, schedule, SPEC);
        expect(await store.getSchedule('w1')).toEqual(schedule);
        expect(await store.getDefinition('hash1')).toEqual(SPEC);
        await expect(store.changeSchedule(undefined, schedule)).rejects.toMatchObject(conflict);
        const next = { ...schedule, afterMs: 2, last: { atMs: 2, executionId: 'e' } };
        await store.changeSchedule(schedule, next);
        await expect(store.changeSchedule(schedule, { ...schedule, paused: true })).rejects.toMatchObject(
          conflict,
        );
        await expect(store.changeSchedule(schedule, undefined)).rejects.toMatchObject(conflict);
        expect(await store.schedules()).toEqual({ rows: [next], damaged: [] });
        await store.changeSchedule(next, undefined);
        expect(await store.getSchedule('w1')).toBeUndefined();
        expect(await store.schedules()).toEqual({ rows: [], damaged: [] });
      }),
    );

    test(
      'go with a new execution, or neither is written',
      withStore(async (store) => {
        await store.changeSchedule(undefined, schedule);
        const start = (seen: ScheduleRow, id: string) => {
          const each = record(id);
          const { op, guard } = scheduleChange(seen, { ...seen, last: { atMs: 2, executionId: id } });
          return store.commitNew(each, [...store.create(each, SPEC, '{}'), op], guard);
        };
        await start(schedule, 'e1');
        await expect(start(schedule, 'e2')).rejects.toMatchObject(conflict);
        expect(await store.getRecord('e2')).toBeUndefined();
        const seen = (await store.getSchedule('w1'))!;
        expect(seen.last).toEqual({ atMs: 2, executionId: 'e1' });
        await expect(start(seen, 'e1')).rejects.toMatchObject({ code: 'EXECUTION_EXISTS' });
      }),
    );

    test(
      'that are damaged are told of, and do not hide the others',
      withStore(async (store, kv) => {
        await store.changeSchedule(undefined, schedule);
        await kv.commit([{ op: 'put', key: 'c/bad', value: new Uint8Array([1, 2, 3]) }]);
        expect(await store.schedules()).toEqual({ rows: [schedule], damaged: ['bad'] });
      }),
    );
  });
}
