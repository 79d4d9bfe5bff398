import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BoundedText } from '../../src/pool/bounded-text.js';
import { LastJsonLine } from '../../src/pool/json-line.js';

const pieces = fc.array(fc.string({ maxLength: 12 }), { maxLength: 30 });

describe('BoundedText', () => {
  it('keeps head and tail, and counts what it dropped', () => {
    fc.assert(
      fc.property(pieces, fc.integer({ min: 2, max: 40 }), (texts, limit) => {
        const whole = texts.join('');
        const bounded = new BoundedText(limit);
        for (const text of texts) bounded.append(text);
        const half = Math.floor(limit / 2);
        if (whole.length <= half * 2) expect(bounded.text()).toBe(whole);
        else {
          expect(bounded.droppedChars).toBe(whole.length - 2 * half);
          expect(bounded.text()).toBe(
            `${whole.slice(0, half)}\n… ${bounded.droppedChars} characters cut …\n${whole.slice(-half)}`,
          );
        }
        expect(bounded.end(half)).toBe(whole.slice(-half));
      }),
      { numRuns: 500 },
    );
  });
});

describe('LastJsonLine', () => {
  const line = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
    fc.constantFrom('', 'text', '{broken', '{"a":}', ' 7 ', 'true story', '"x" and "y"', '-', '1.2.3'),
  );

  it('finds what a reader of the whole text would find, however it arrives', () => {
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 8 }),
        fc.array(fc.nat(200), { maxLength: 6 }),
        (lines, cuts) => {
          const text = lines.join('\n');
          const finder = new LastJsonLine(1_000_000);
          let from = 0;
          for (const at of [...cuts, text.length].sort((a, b) => a - b)) {
            finder.append(text.slice(from, Math.max(from, at)));
            from = Math.max(from, at);
          }
          const expected = lines
            .map(parse)
            .filter((found) => found !== undefined)
            .at(-1);
          expect(finder.end()).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('says so when the last candidate was too long to look at', () => {
    const finder = new LastJsonLine(10);
    finder.append('{"a":1}\n{"a":"0123456789"}\nplain text that is long\n');
    expect(finder.end()).toEqual({ tooLong: true });
  });
});

function parse(line: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(line) };
  } catch {
    return undefined;
  }
}
