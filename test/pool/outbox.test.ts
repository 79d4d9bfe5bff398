import { describe, expect, it } from 'vitest';
import { Outbox } from '../../src/pool/worker/outbox.js';
import { FromWorker, type WorkerMessage } from '../../src/pool/worker/protocol.js';

const open = (): { outbox: Outbox; sent: WorkerMessage[] } => {
  const sent: WorkerMessage[] = [];
  const outbox = new Outbox({ postMessage: (message) => sent.push(message) });
  outbox.open(7, 0);
  return { outbox, sent };
};
const ok = { ok: true, output: '{}', artifacts: [] } as const;
const result = (index: number): unknown[] => [index, '{}', 1];

describe('the outbox of a worker', () => {
  it('sends with the end of a batch what has not left', () => {
    const { outbox, sent } = open();
    outbox.add(0, ok, 1);
    outbox.flush();
    outbox.add(1, ok, 1);
    outbox.close();
    expect(sent).toEqual([
      [FromWorker.results, 7, result(0)],
      [FromWorker.over, 7, result(1)],
    ]);
  });

  it('says that a batch is over also when all of it has left', () => {
    const { outbox, sent } = open();
    outbox.add(0, ok, 1);
    outbox.flush();
    outbox.close();
    expect(sent.at(-1)).toEqual([FromWorker.over, 7, []]);
  });

  it('has nothing more to send when the worker ends after that', () => {
    const { outbox, sent } = open();
    outbox.add(0, ok, 1);
    outbox.close();
    outbox.flush();
    expect(sent).toHaveLength(1);
  });

  it('keeps a result for the batch that it is of', () => {
    const { outbox, sent } = open();
    outbox.close();
    outbox.open(8, 0);
    outbox.add(0, ok, 1);
    outbox.flush();
    expect(sent.at(-1)).toEqual([FromWorker.results, 8, result(0)]);
  });
});
