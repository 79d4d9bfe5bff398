import { expect, it } from 'vitest';
import { SimulatedDisk } from '../../src/simulation/disk.js';
import { Timeline } from '../../src/simulation/timeline.js';
import { frameBytes, writeFrame } from '../../src/store/commit-log.js';
import { putFence } from '../../src/store/fences.js';
import type { KvOp } from '../../src/store/kv.js';

const OWNER = 'o';
const put = (key: string): KvOp => ({ op: 'put', key, value: Buffer.from(key) });

it('a write to a log that is never answered counts when somebody takes over, and not before', async () => {
  const timeline = new Timeline();
  const counted: string[] = [];
  const disk = new SimulatedDisk(timeline, {
    latencyMs: () => 1,
    // The log is made, and one write is answered.
    faultOf: (n) => (n === 2 ? { kind: 'hangs', applied: true } : undefined),
    applied: (_, ops) => counted.push(...ops.map(({ key }) => key)),
  });
  const user = (name: string) => ({ name, alive: true, die: () => {} });
  const [mine, other] = [disk.openLogs(user('a')), disk.openLogs(user('b'))];
  const during = async <T>(work: Promise<T>): Promise<T> => {
    let over = false;
    void work.finally(() => (over = true));
    await timeline.run(() => over);
    return work;
  };
  const file = await during(mine.create(OWNER));
  let at = 0;
  const write = async (number: number): Promise<void> => {
    const ops = [put(`row-${number}`)];
    const frame = Buffer.alloc(frameBytes(ops));
    writeFrame(frame, OWNER, number, ops);
    await file.write(frame, (at += frame.length) - frame.length);
  };
  await during(write(1));
  expect(counted).toEqual(['row-1']);

  void write(2);
  await timeline.run(() => false);
  expect((await other.read(OWNER))?.includes('row-2')).toBe(true);
  expect(counted).toEqual(['row-1']);

  await disk.rows.commit([putFence(OWNER, timeline.nowMs)]);
  await other.read(OWNER);
  expect(counted).toEqual(['row-1', 'row-2']);
});
