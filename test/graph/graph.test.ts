import { describe, expect, it } from 'vitest';
import {
  compilePlan,
  criticalPath,
  describeCycle,
  findCycle,
  findCycles,
  toDot,
  toMermaid,
} from '../../src/graph/index.js';

const node = (id: string, ...dependencies: string[]) => ({ id, dependencies });

describe('compilePlan', () => {
  it('refuses duplicate ids and unknown dependencies by name', () => {
    expect(() => compilePlan([node('a'), node('b'), node('a')])).toThrow(/two nodes have the id "a"/);
    expect(() => compilePlan([node('a', 'ghost')])).toThrow(/"a" depends on "ghost"/);
  });

  it('names the cycle in text and details', () => {
    const nodes = [node('a', 'c'), node('b', 'a'), node('c', 'b')];
    expect(() => compilePlan(nodes)).toThrow(
      expect.objectContaining({
        code: 'CYCLE',
        message: expect.stringMatching(/(a → b → c → a|b → c → a → b|c → a → b → c)/) as string,
        details: { cycle: findCycle(nodes) },
      }) as Error,
    );
  });

  it('takes a graph of 300,000 nodes in one chain, backwards, without running out of stack', () => {
    const size = 300_000;
    const nodes = Array.from({ length: size }, (_, i) =>
      node(`n${i}`, ...(i + 1 < size ? [`n${i + 1}`] : [])),
    );
    const plan = compilePlan(nodes);
    expect(plan.order[0]).toBe(size - 1);
    expect(plan.generation[0]).toBe(size - 1);
    expect(criticalPath(plan, () => 2).lengthMs).toBe(2 * size);
    nodes[size - 1] = node(`n${size - 1}`, 'n0');
    expect(findCycle(nodes)).toHaveLength(size + 1);
  });

  it('is not confused by ids that are names of object properties', () => {
    const plan = compilePlan([
      node('toString'),
      node('hasOwnProperty', 'toString'),
      node('1', 'hasOwnProperty'),
    ]);
    expect([...plan.order]).toEqual([0, 1, 2]);
  });
});

describe('cycles', () => {
  it('finds several that share no node', () => {
    const nodes = [
      node('a', 'b'),
      node('b', 'a'),
      node('c', 'c'),
      node('d'),
      node('e', 'f'),
      node('f', 'e', 'd'),
    ];
    expect(findCycles(nodes, 10).map((cycle) => cycle.slice(1).sort())).toEqual([
      ['a', 'b'],
      ['c'],
      ['e', 'f'],
    ]);
    expect(findCycles(nodes, 2)).toHaveLength(2);
  });

  it('shortens very long ones for people', () => {
    const text = describeCycle(Array.from({ length: 101 }, (_, i) => `n${i % 100}`));
    expect(text).toContain('… 81 more …');
    expect(text.endsWith('n99 → n0')).toBe(true);
  });
});

describe('diagrams', () => {
  const plan = compilePlan([node('a "q" \\ # <b>'), node('end', 'a "q" \\ # <b>')]);

  it('escapes any id for Mermaid', () => {
    expect(toMermaid(plan)).toBe(
      'flowchart TD\n  n0["a #34;q#34; #92; #35; #60;b#62;"]\n  n1["end"]\n  n0 --> n1\n',
    );
  });

  it('escapes any id for Graphviz, and takes other labels', () => {
    expect(toDot(plan)).toContain('n0 [label="a \\"q\\" \\\\ # <b>"];');
    expect(toDot(plan)).toContain('n0 -> n1;');
    expect(toDot(plan, (index) => `#${index}\nx`)).toContain('n1 [label="#1\\nx"];');
  });
});

describe('criticalPath', () => {
  it('adds durations, prefers more nodes among equals, and is empty for no nodes', () => {
    const plan = compilePlan([node('a'), node('b', 'a'), node('c', 'a'), node('d', 'b', 'c')]);
    const durations = [1, 5, 2, 1];
    expect(criticalPath(plan, (index) => durations[index])).toEqual({ lengthMs: 7, path: [0, 1, 3] });
    expect(criticalPath(plan, () => 0)).toEqual({ lengthMs: 0, path: [0, 1, 3] });
    expect(criticalPath(compilePlan([]), () => 1)).toEqual({ lengthMs: 0, path: [] });
  });
});
