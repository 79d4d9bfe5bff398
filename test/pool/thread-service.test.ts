import { beforeEach, describe, expect, it } from 'vitest';
import { Services, type Service } from '../../src/pool/thread-service.js';
import type { WorkerLink } from '../../src/pool/threads-crew.js';
import { ToWorker, type HostMessage } from '../../src/pool/worker/protocol.js';
import { encodeBatch, type WireBatch } from '../../src/pool/worker/wire.js';

interface Hired {
  readonly batch: WireBatch;
  readonly signal: AbortSignal;
  readonly over: () => void;
  readonly fail: (error: Error) => void;
}

let hired: Hired[];
let ended: [batchId: number, message: string][];
let posted: [worker: number, message: HostMessage][];
let looks: (() => void)[];
let services: Services;

beforeEach(() => {
  [hired, ended, posted, looks] = [[], [], [], []];
  services = new Services({
    clock: {
      nowMs: () => 0,
      setTimer: (_ms, fn) => {
        looks.push(fn);
        return () => (looks = looks.filter((each) => each !== fn));
      },
    },
    hire: (batch, signal) => new Promise<void>((over, fail) => hired.push({ batch, signal, over, fail })),
    ended: (batchId, error) => ended.push([batchId, (error as Error).message]),
  });
});

const batch = (id: number): WireBatch => encodeBatch({ id, slot: 0 }, []);
const linkOf = (worker: number): WorkerLink =>
  ({ gone: false, post: (message: HostMessage) => posted.push([worker, message]) }) as unknown as WorkerLink;
const look = (): void => looks.splice(0).forEach((fn) => fn());
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** A service whose worker is through with its first batch. */
const waiting = (worker: number, link = linkOf(worker)): Service => {
  const service = services.run(batch(worker));
  services.free(service, link);
  return service;
};

describe('workers in service', () => {
  it('are hired with their first batch, and get the next ones over their own port', () => {
    const service = services.run(batch(1));
    expect(hired.map((each) => each.batch.id)).toEqual([1]);
    services.free(service, linkOf(1));
    expect(services.run(batch(2))).toBe(service);
    expect(posted).toEqual([[1, [ToWorker.run, batch(2)]]]);
    expect(hired).toHaveLength(1);
    expect(service.batchId).toBe(2);
  });

  it('are joined by another one when none waits, and the last to have worked is asked first', () => {
    const [first, second] = [services.run(batch(1)), services.run(batch(2))];
    expect(hired).toHaveLength(2);
    services.free(second, linkOf(2));
    services.free(first, linkOf(1));
    expect([services.run(batch(3)), services.run(batch(4))]).toEqual([first, second]);
    services.run(batch(5));
    expect(hired).toHaveLength(3);
    expect(services.size).toBe(3);
  });

  it('rest when they had nothing to do from one look to the next, and not before', async () => {
    waiting(1);
    look();
    expect(posted).toEqual([]);
    services.free(services.run(batch(2)), linkOf(1));
    look();
    look();
    expect(posted.slice(1)).toEqual([[1, [ToWorker.rest]]]);
    // It gets nothing any more, and nobody looks while none waits.
    services.run(batch(3));
    expect(hired).toHaveLength(2);
    expect(looks).toEqual([]);
    hired[0].over();
    await settle();
    expect(services.size).toBe(1);
    expect(ended).toEqual([]);
  });

  it('are told of with the batch they had when they end', async () => {
    services.run(batch(7));
    waiting(8);
    hired[0].fail(new Error('busy'));
    hired[1].fail(new Error('idle'));
    await settle();
    expect(ended).toEqual([
      [7, 'busy'],
      [0, 'idle'],
    ]);
    services.run(batch(9));
    expect(hired).toHaveLength(3);
    expect(posted).toEqual([]);
  });

  it('get nothing when their port is closed, although their end is not known yet', async () => {
    const link = linkOf(1);
    waiting(1, link);
    link.gone = true;
    const service = services.run(batch(2));
    expect(posted).toEqual([]);
    expect(hired).toHaveLength(2);
    hired[0].fail(new Error('late news'));
    await settle();
    expect(ended).toEqual([[0, 'late news']]);
    expect(service.batchId).toBe(2);
  });

  it('are ended by aborting, and never looked at once they are closed', () => {
    const service = services.run(batch(1));
    service.abort();
    expect(hired[0].signal.aborted).toBe(true);
    waiting(2);
    services.close();
    expect(looks).toEqual([]);
  });
});
