import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StepOutput } from '../../src/supervisor/step-output.js';

const write = fc.record({
  stream: fc.constantFrom('stdout' as const, 'stderr' as const),
  text: fc.string({ minLength: 1, maxLength: 60 }),
  pauseMs: fc.integer({ min: 0, max: 300 }),
  skipped: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(50)),
});

describe('what an attempt writes', () => {
  it('is kept whole while it is small, its streams in order', () => {
    const output = new StepOutput(1000, 5);
    output.append('stdout', 'one\n', 5);
    output.append('stdout', 'two\n', 50);
    output.append('stderr', 'oops\n', 60);
    output.append('stdout', 'three\n', 400);
    expect(output.entries()).toEqual([
      { stream: 'stdout', atMs: 5, offset: 0, text: 'one\ntwo\n' },
      { stream: 'stderr', atMs: 60, offset: 8, text: 'oops\n' },
      { stream: 'stdout', atMs: 400, offset: 13, text: 'three\n' },
    ]);
    expect(output.writtenChars).toBe(19);
  });

  it('keeps its beginning and its end, where they were, in bounded memory', () => {
    fc.assert(
      fc.property(fc.array(write, { maxLength: 60 }), fc.integer({ min: 80, max: 600 }), (writes, limit) => {
        const output = new StepOutput(limit, 0);
        // By place, which character was written; undefined where it was skipped.
        const all: (string | undefined)[] = [];
        let nowMs = 0;
        for (const { stream, text, pauseMs, skipped } of writes) {
          nowMs += pauseMs;
          for (let i = 0; i < skipped; i++) all.push(undefined);
          for (const char of text.split('')) all.push(`${stream} ${char}`);
          output.append(stream, text, nowMs, skipped);
        }
        const entries = output.entries();
        expect(output.writtenChars).toBe(all.length);
        let before = 0;
        for (const { stream, offset, text } of entries) {
          expect(offset).toBeGreaterThanOrEqual(before);
          before = offset + text.length;
          expect(text.split('').map((char) => `${stream} ${char}`)).toEqual(all.slice(offset, before));
        }
        const kept = entries.reduce((sum, { text }) => sum + text.length, 0);
        expect(kept).toBeLessThanOrEqual(limit);
        const written = all.filter((char) => char !== undefined).length;
        if (written > 0 && written <= limit / 2 - 16 * (writes.length + 1)) expect(kept).toBe(written);
        // The newest is always there.
        if (writes.length > 0) expect(before).toBe(all.length);
      }),
      { numRuns: 300 },
    );
  });

  it('is bounded also when it comes in many small pieces', () => {
    const output = new StepOutput(1000, 0);
    for (let i = 0; i < 50_000; i++) output.append(i % 2 === 0 ? 'stdout' : 'stderr', 'x', i);
    expect(output.entries().length).toBeLessThan(100);
    expect(output.writtenChars).toBe(50_000);
  });
});
