import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import {
  cleanLines,
  formatAgo,
  formatSeconds,
  formatTable,
  listSome,
  oneLine,
  shellQuote,
  truncate,
  visibleWidth,
} from '../../src/cli/format/text.js';

describe('formatSeconds', () => {
  it.each([
    [0, '0s'],
    [0.0004, '0.4ms'],
    [0.0126, '13ms'],
    [0.45, '0.45s'],
    [9.99, '9.99s'],
    [9.999, '10.0s'],
    [12.34, '12.3s'],
    [59.99, '1m00s'],
    [125, '2m05s'],
    [3599.6, '1h00m'],
    [3725, '1h02m'],
    [100_000, '1d04h'],
    [-1, '–'],
    [NaN, '–'],
    [Infinity, '–'],
  ])('%d is %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text));

  it('never shows 60 of a smaller unit', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e7, noNaN: true }), (seconds) => {
        expect(formatSeconds(seconds)).not.toMatch(/(^|[a-z])60(\.0)?[sm]/);
      }),
      { numRuns: 500 },
    );
  });
});

describe('formatAgo', () => {
  it.each([
    [1, 'just now'],
    [59, '59s ago'],
    [60, '1m ago'],
    [7200, '2h ago'],
    [3 * 86_400, '3d ago'],
    [-50, 'just now'],
  ])('%d seconds ago is %s', (seconds, text) => expect(formatAgo(1e12 - seconds * 1000, 1e12)).toBe(text));
});

describe('text from steps and users', () => {
  it('cannot steer the terminal', () => {
    expect(oneLine('a\u001b[31mred\u001b[0m\r\nb\u0007')).toBe('ared b');
    expect(cleanLines('a\r\nb\u001b]0;title\u0007c\td')).not.toMatch(/[\u001b\u0007\r]/);
    expect(cleanLines('a\n\tb')).toBe('a\n\tb');
  });

  it('never has control characters, whatever comes in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(oneLine(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      }),
      { numRuns: 300 },
    );
  });
});

describe('formatTable', () => {
  it('aligns by what is visible, not by escape sequences', () => {
    const lines = formatTable([
      ['a', '\u001b[31mbbb\u001b[39m', 'x'],
      ['aaaa', 'b', 'y'],
    ]);
    expect(lines.map((line) => visibleWidth(line))).toEqual([12, 12]);
    expect(lines[1]).toBe('aaaa  b    y');
  });

  it('leaves no trailing blanks', () => {
    expect(
      formatTable([
        ['a', 'b'],
        ['a', ''],
      ]),
    ).toEqual(['a  b', 'a']);
  });
});

it('truncate keeps to the width and says that it cut', () => {
  expect(truncate('abcdef', 4)).toBe('abc…');
  expect(truncate('abcd', 4)).toBe('abcd');
  expect(truncate('abcd', 0)).toBe('');
});

it('listSome counts what it leaves out', () => {
  expect(listSome(['a', 'b', 'c'], 2)).toBe('a, b and 1 more');
  expect(listSome(['a', 'b'], 2)).toBe('a, b');
});

it('shellQuote quotes only what needs it', () => {
  expect(shellQuote('lmdb:/tmp/x')).toBe('lmdb:/tmp/x');
  expect(shellQuote("it's")).toBe(`'it'\\''s'`);
  expect(shellQuote('')).toBe("''");
});
