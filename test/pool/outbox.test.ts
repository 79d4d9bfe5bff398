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
const result = (index: number): unknown[] => [index, true, '{}', undefined, 1];

describe('the outbox of a worker that ends', () => {
  it('sends what has not left', () => {
    const { outbox, sent } = open();
    outbox.add(0, ok, 1);
    outbox.flush();
    outbox.add(1, ok, 1);
    outbox.empty();
    expect(sent).toEqual([
      [FromWorker.results, 7, result(0)],
      [FromWorker.results, 7, result(1)],
    ]);
  });

  it('sends again what its last batch was answered with: a death overtakes the answer', () => {
    const { outbox, sent } = open();
    outbox.add(0, ok, 1);
    expect(outbox.close()).toEqual(result(0));
    outbox.empty();
    expect(sent).toEqual([[FromWorker.results, 7, result(0)]]);
  });

  it('does not take the answer of one batch for results of the next', () => {
    const { outbox, sent } = open();
    outbox.add(0, ok, 1);
    outbox.close();
    outbox.open(8, 0);
    outbox.add(0, ok, 1);
    outbox.empty();
    expect(sent).toEqual([[FromWorker.results, 8, result(0)]]);
  });
});
