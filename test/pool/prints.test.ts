import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Prints } from '../../src/pool/worker/prints.js';

interface Sent {
  stream: string;
  text: string;
  skipped: number;
}

function printsTo(limit: number): { prints: Prints; sent: Sent[] } {
  const sent: Sent[] = [];
  const prints = new Prints(limit, (stream, text, skipped) => sent.push({ stream, text, skipped }));
  return { prints, sent };
}

it('sends what was printed when the event loop turns, streams in order', async () => {
  const { prints, sent } = printsTo(1000);
  prints.write('stdout', 'a');
  prints.write('stdout', 'b');
  prints.write('stderr', 'c');
  expect(sent).toEqual([]);
  await turn();
  expect(sent).toEqual([
    { stream: 'stdout', text: 'ab', skipped: 0 },
    { stream: 'stderr', text: 'c', skipped: 0 },
  ]);
});

it('puts characters together whose bytes come apart', () => {
  const { prints, sent } = printsTo(1000);
  const bytes = Buffer.from('wörld €');
  for (const byte of bytes) prints.write('stdout', Uint8Array.of(byte));
  prints.flush();
  expect(sent.map(({ text }) => text).join('')).toBe('wörld €');
});

it('sends, or counts, everything; the first and the last of it are sent', () => {
  const writes = fc.array(
    fc.record({
      stream: fc.constantFrom('stdout' as const, 'stderr' as const),
      length: fc.integer({ min: 1, max: 400 }),
      flush: fc.boolean(),
    }),
    { minLength: 1, maxLength: 200 },
  );
  fc.assert(
    fc.property(writes, fc.integer({ min: 1, max: 500 }), (all, limit) => {
      const { prints, sent } = printsTo(limit);
      let written = 0;
      const place = (length: number) => {
        // Each character says where it stands.
        const text = Array.from({ length }, (_, i) => String.fromCharCode(0x4e00 + ((written + i) % 9973)));
        written += length;
        return text.join('');
      };
      for (const { stream, length, flush } of all) {
        prints.write(stream, place(length));
        if (flush) prints.flush();
      }
      prints.flush();
      let at = 0;
      for (const { text, skipped } of sent) {
        at += skipped;
        for (const char of text) expect(char.charCodeAt(0)).toBe(0x4e00 + (at++ % 9973));
      }
      expect(at).toBe(written);
      expect(sent[0].skipped).toBe(0);
    }),
    { numRuns: 200 },
  );
});

it('holds back a bounded amount of a loop that prints without end', () => {
  const { prints, sent } = printsTo(1000);
  for (let i = 0; i < 100_000; i++) prints.write(i % 2 ? 'stdout' : 'stderr', 'line\n');
  prints.flush();
  const text = sent.map((each) => each.text).join('');
  expect(text.length).toBeLessThan(15_000);
  expect(text.length + sent.reduce((sum, { skipped }) => sum + skipped, 0)).toBe(500_000);
});
