import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  holds,
  parseDepends,
  TASK_RESULTS,
  tasksOf,
  type DependsExpression,
  type TaskResult,
} from '../../src/policy/depends.js';
import { conformanceRows } from './conformance.js';

interface Upstream {
  phase: string;
  daemoned?: boolean;
  children?: string[];
  continueOn?: string[];
}
interface Row {
  id: string;
  kind: string;
  depends: string;
  upstream: Record<string, Upstream>;
  expect: string;
}

/** Argo's word for a finished task as a result of ours; undefined: it has not ended. */
function resultOf({ phase, daemoned }: Upstream): TaskResult | undefined {
  if (phase === 'Error') return 'Errored';
  if (phase === 'Running' && daemoned === true) return 'Daemoned';
  return TASK_RESULTS.find((result) => result === phase);
}

function decide({ depends, upstream }: Row): string {
  const expression = parseDepends(depends);
  const results = new Map(
    tasksOf(expression).map((task) => [task, upstream[task] && resultOf(upstream[task])]),
  );
  if ([...results.values()].includes(undefined)) return 'wait';
  return holds(expression, (task) => results.get(task)!) ? 'run' : 'omitted';
}

const rows = conformanceRows<Row>('argo-depends.json');
const evaluated = (rows ?? []).filter(({ kind }) => kind === 'evaluate');
/** Rows about what there is not here: fan-out children, and `continueOn`, which Argo refuses beside `depends`. */
const isForeign = ({ upstream }: Row): boolean =>
  Object.values(upstream).some(
    ({ children, continueOn }) => children !== undefined || (continueOn ?? []).length > 0,
  );

describe.skipIf(rows === undefined)('dependency expressions as Argo evaluates them', () => {
  const applicable = evaluated.filter((row) => !isForeign(row));
  it('runs most rows', () => expect(applicable.length).toBeGreaterThan(350));
  it.each(applicable)('$id: $depends, $upstream → $expect', (row) => {
    expect(decide(row)).toBe(row.expect);
  });
  it.each(
    (rows ?? []).filter(({ kind, depends, expect: e }) => kind === 'validate' && depends && e === 'valid'),
  )('$id: $depends is valid', ({ depends }) =>
    expect(tasksOf(parseDepends(depends)).length).toBeGreaterThan(0),
  );
});

describe('parseDepends', () => {
  it.each([
    ['', 'ends where the id of a node'],
    ['A &&', 'ends where the id of a node'],
    ['A B', '"B" at character 3'],
    ['(A', 'ends where `)`'],
    ['A)', '")" at character 2'],
    ['A.Done', 'there are Succeeded, Failed'],
    ['A & B', '"&" at character 3'],
    ['A.', 'ends where a result'],
    ['&& A', '"&&" at character 1'],
    ['"A', '"\\"" at character 1'],
    [`${'('.repeat(200)}A`, 'nested more than'],
    ['A||'.repeat(5000), 'longer than'],
  ])('refuses %j', (text, why) => {
    expect(() => parseDepends(text)).toThrow(
      expect.objectContaining({
        code: 'SPEC_INVALID',
        message: expect.stringContaining(why) as string,
      }) as Error,
    );
  });

  it('takes any id in quotes', () => {
    expect(tasksOf(parseDepends('"a.b c".Failed && "q\\"" || _x-1'))).toEqual(['a.b c', 'q"', '_x-1']);
  });

  it('agrees with JavaScript about operators, for any expression', () => {
    const expression = fc.letrec<{ any: string; atom: string }>((tie) => ({
      atom: fc.constantFrom('a.Succeeded', 'b.Failed', 'c.Skipped'),
      any: fc.oneof(
        { maxDepth: 4 },
        tie('atom'),
        tie('any').map((inner) => `!(${inner})`),
        tie('any').map((inner) => `(${inner})`),
        fc.tuple(tie('any'), fc.constantFrom('&&', '||'), tie('any')).map((parts) => parts.join(' ')),
      ),
    })).any;
    const results = fc.record({
      a: fc.constantFrom(...TASK_RESULTS),
      b: fc.constantFrom(...TASK_RESULTS),
      c: fc.constantFrom(...TASK_RESULTS),
    });
    fc.assert(
      fc.property(expression, results, (text, ends) => {
        const parsed: DependsExpression = parseDepends(text);
        const values = [ends.a === 'Succeeded', ends.b === 'Failed', ends.c === 'Skipped'];
        const script = text
          .replace(/a\.\w+/g, '$0')
          .replace(/b\.\w+/g, '$1')
          .replace(/c\.\w+/g, '$2');
        const oracle = runInNewContext(script, { $0: values[0], $1: values[1], $2: values[2] }) as boolean;
        expect(holds(parsed, (task) => ends[task as keyof typeof ends])).toBe(oracle);
      }),
    );
  });
});
