import { expect, test } from 'vitest';
import { decodeLine } from '../../src/snapshot/format.js';

const line = (entry: string): string => `{"type":"journal","sequence":0,"entries":[${entry}]}`;

test('a journal line with entries that journals have', () => {
  const text = line('{"node":1,"event":{"type":"attemptStarted"},"at_ms":5}');
  expect(decodeLine(text, 3)).toMatchObject({ entries: [{ node: 1, atMs: 5 }] });
});

// Found by fuzzing: the first ended in INVARIANT ("a bug"), with a footer that fits it; the second never ended.
test.each([
  ['an event of no known type', '{"node":1,"event":{"type":"nonsense"},"at_ms":5}'],
  ['a node beyond every number', '{"node":1e999,"event":{"type":"attemptStarted"},"at_ms":5}'],
  ['a node that is a text', '{"node":"1","event":{"type":"attemptStarted"},"at_ms":5}'],
  ['less than belongs to it', '{"node":1,"event":{"type":"attemptSucceeded"},"at_ms":5}'],
  ['more than belongs to it', '{"node":1,"event":{"type":"attemptStarted","x":1},"at_ms":5}'],
  ['no time', '{"node":1,"event":{"type":"attemptStarted"}}'],
])('one that has %s is damage of the export', (_, entry) => {
  expect(() => decodeLine(line(entry), 3)).toThrow(
    expect.objectContaining({ code: 'SNAPSHOT_CORRUPT' }) as Error,
  );
});
