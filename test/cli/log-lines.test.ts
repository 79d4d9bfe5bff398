import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LogLines, type LogLine } from '../../src/cli/report/log-lines.js';
import type { NodeLogDocument } from '../../src/runtime/index.js';

type Entry = NodeLogDocument['entries'][number];
const entry = (offset: number, text: string, stream: Entry['stream'] = 'stdout'): Entry => ({
  stream,
  time: `t${offset}`,
  offset,
  text,
});
function log(entries: Entry[], fields: Partial<NodeLogDocument> = {}): NodeLogDocument {
  const last = entries.at(-1);
  const written_chars = last === undefined ? 0 : last.offset + last.text.length;
  return {
    node_id: 'n',
    attempt: 1,
    run: 0,
    began_at: 'b',
    written_chars,
    dropped_chars: 0,
    entries,
    ...fields,
  };
}
const texts = (lines: Iterable<LogLine>) =>
  [...lines].map(({ text, stream, cut_chars }) =>
    cut_chars === undefined ? `${stream === 'stderr' ? '!' : ''}${text}` : `-${cut_chars}-`,
  );

it('makes lines of each stream, also when they come in pieces', () => {
  const entries = [entry(0, 'o'), entry(1, 'err', 'stderr'), entry(4, 'ne\ntw'), entry(9, 'o')];
  expect(texts(new LogLines().take(log(entries), true))).toEqual(['one', 'two', '!err']);
});

it('says where something was cut, and ends the line before it', () => {
  const cut = log([entry(0, 'a\nb'), entry(100, 'c\n')], { dropped_chars: 97 });
  expect(texts(new LogLines().take(cut, true))).toEqual(['a', 'b', '-97-', 'c']);
});

it('shows a line without an end when nothing was added to it meanwhile', () => {
  const lines = new LogLines();
  const growing = log([entry(0, 'a\nwaiting')]);
  expect(texts(lines.take(growing, false))).toEqual(['a']);
  expect(texts(lines.take(growing, false))).toEqual(['waiting']);
  expect(texts(lines.take(growing, false))).toEqual([]);
});

it('tells each line once, however often a growing log is read', () => {
  const pieces = fc.array(fc.stringMatching(/^[ab\n]{1,5}$/), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(pieces, fc.array(fc.nat(30)), (all, readAfter) => {
      const lines = new LogLines();
      const entries: Entry[] = [];
      const seen: string[] = [];
      let written = 0;
      all.forEach((text, index) => {
        entries.push(entry(written, text));
        written += text.length;
        if (readAfter.includes(index)) seen.push(...texts(lines.take(log([...entries]), false)));
      });
      seen.push(...texts(lines.take(log(entries), true)));
      const expected = all.join('').split('\n');
      if (expected.at(-1) === '') expected.pop();
      expect(seen).toEqual(expected);
    }),
  );
});

it('keeps attempts of one number apart that a crash made two of', () => {
  const lines = new LogLines();
  const [first, second] = ['b1', 'b2'].map((began_at) => log([entry(0, `${began_at}\n`)], { began_at }));
  expect([first, second, first].flatMap((each) => texts(lines.take(each, false)))).toEqual(['b1', 'b2']);
});
