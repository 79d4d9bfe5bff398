import { describe, expect, it } from 'vitest';
import { conditionReads, EACH, type Read } from '../../src/policy/condition-reads.js';

/** A read as a line: `node.path[] kind literals`. */
function line({ node, path, kind, literals, optional, patterns }: Read): string {
  const place = [node, ...path].map((part) => (part === EACH ? '*' : String(part))).join('.');
  const shown = literals.map((literal) => JSON.stringify(literal));
  const words = [place, kind, shown.join(' '), optional ? 'optional' : '', ...patterns];
  return words.filter((word) => word !== undefined && word !== '').join(' ');
}

const CASES: [source: string, reads: string[]][] = [
  ['outputs.a.n > 5', ['a.n number 5']],
  [`outputs['a']['n'] >= 20`, ['a.n number 20']],
  ['5 > outputs.a.n', ['a.n number 5']],
  ['outputs.a.n == -3', ['a.n -3']],
  [`outputs.a.kind == 'x' || outputs.a.kind == 'y'`, ['a.kind "x"', 'a.kind "y"']],
  [`outputs.a.kind in ['x', 'y']`, ['a.kind "x" "y"']],
  [`'red' in outputs.a.tags`, ['a.tags list "red"']],
  [`outputs.a.tags == ['red', 'blue']`, ['a.tags {"value":["red","blue"]}']],
  [`outputs.a == {} || outputs.a == {'n': 1}`, ['a {"value":{}}', 'a {"value":{"n":1}}']],
  ['outputs.a.ok', ['a.ok boolean']],
  ['!outputs.a.ok && outputs.b', ['a.ok boolean', 'b boolean']],
  ['outputs.a.x / outputs.b.y < 0.5', ['a.x number 0.5', 'b.y number 0.5']],
  ['outputs.a.n + 1 > 5', ['a.n number 1 5']],
  ['size(outputs.a.list) > 2', ['a.list sized {"size":2}']],
  ['outputs.a.text.size() == 2', ['a.text sized {"size":2}']],
  ['has(outputs.a.error)', ['a.error optional']],
  ['outputs.a.x == null', ['a.x null']],
  [`outputs.a.name.startsWith('v')`, ['a.name text "v"']],
  [`outputs.a.name.matches('^v[0-9]$')`, ['a.name text ^v[0-9]$']],
  [`timestamp(outputs.a.at) < timestamp('2026-01-01T00:00:00Z')`, ['a.at moment "2026-01-01T00:00:00Z"']],
  ['outputs.a.list[2] == 1', ['a.list.2 1']],
  [`outputs.a.list.exists(e, e.s == 'bad')`, ['a.list list', 'a.list.*.s "bad"']],
  ['outputs.a.list.all(e, e > 0)', ['a.list list', 'a.list.* number 0']],
  [
    'outputs.a.list.filter(e, e.ok).size() >= 3',
    ['a.list list {"size":3}', 'a.list.*.ok boolean', 'a.list.*'],
  ],
  ['outputs.a.list.map(e, e.n).exists(n, n > 4)', ['a.list list', 'a.list.*.n', 'a.list.*.n number 4']],
  ['outputs.all(k, outputs[k].ok)', ['*.ok boolean']],
  [`outputs.a.map.all(k, outputs.a.map[k] > 1)`, ['a.map list', 'a.map map', 'a.map.* number 1', 'a.map.*']],
  [`'a' in outputs`, ['a']],
  ['outputs.a.x ? outputs.a.y == 1 : outputs.a.z == 2', ['a.x boolean', 'a.y 1', 'a.z 2']],
  ['global_context.n > 3 && node.config.x', []],
  ['outputs[global_context.which].ok', ['*.ok boolean']],
];

describe('the reads of a condition', () => {
  it.each(CASES)('%s', (source, reads) => {
    expect(conditionReads(source).map(line).sort()).toEqual([...reads].sort());
  });
});
