import { describe, expect, it } from 'vitest';
import { afterIteration, type RepeatPolicy } from '../../src/policy/repeat.js';

const policy = (more: Partial<RepeatPolicy> = {}): RepeatPolicy => ({
  until: 'done',
  max: 3,
  delaySeconds: 0,
  onExhausted: 'fail',
  ...more,
});

describe('what follows an iteration', () => {
  it.each<[string, Partial<RepeatPolicy>, boolean, number, object]>([
    ['the end, when it is met', {}, true, 1, { kind: 'done' }],
    ['the end, when it is met in the last one', {}, true, 3, { kind: 'done' }],
    ['another one', {}, false, 2, { kind: 'again' }],
    ['another one, at a time', { delaySeconds: 0.0005 }, false, 2, { kind: 'again', atMs: 1001 }],
    ['no delay after the last one', { delaySeconds: 9, onExhausted: 'complete' }, false, 3, { kind: 'done' }],
    ['failure', {}, false, 3, { kind: 'failed' }],
    ['failure of a loop of one', { max: 1 }, false, 1, { kind: 'failed' }],
  ])('is %s', (_, more, met, iteration, expected) => {
    expect(afterIteration(policy(more), met, iteration, 'n', 1000)).toMatchObject(expected);
    expect('atMs' in afterIteration(policy(more), met, iteration, 'n', 1000)).toBe('atMs' in expected);
  });

  it('names the node, how often it ran and what did not hold; nothing tries it again', () => {
    const step = afterIteration(policy(), false, 3, 'poll', 0);
    expect(step).toEqual({
      kind: 'failed',
      error: {
        name: 'MaestroError',
        code: 'REPEAT_EXHAUSTED',
        message: 'node "poll" repeated 3 iterations, and its "until" did not hold: done',
        details: { until: 'done', iterations: 3 },
      },
    });
  });
});
