import { describe, expect, it } from 'vitest';
import type { Problem } from '../../src/base/errors.js';
import { loadWorkflowFile, validateSpec, workflowFromSpec } from '../../src/spec/index.js';

const FIXTURES = `${import.meta.dirname}/../fixtures/specs`;

async function problemsOf(file: string): Promise<readonly Problem[]> {
  const error: unknown = await loadWorkflowFile(`${FIXTURES}/${file}`).catch((reason: unknown) => reason);
  return (error as { problems: Problem[] }).problems;
}

const node = (id: string, more: object = {}) => ({ id, name: id, type: 'custom', run: 'true', ...more });
const spec = (...nodes: object[]) => ({ workflow: { id: 'w', name: 'W' }, nodes });
const errorsOf = (value: unknown) =>
  validateSpec(value)
    .problems.filter((problem) => problem.severity === 'error')
    .map((problem) => problem.message);

describe('validation', () => {
  it('reports every mistake of a file at once, each with its place, in the order of the file', async () => {
    const found = await problemsOf('everything-wrong.yaml');
    expect(found.map((p) => `${p.line}:${p.column} ${p.code} ${p.node_id ?? '-'}`)).toEqual([
      '3:3 SCHEMA -',
      '4:3 SCHEMA -',
      '5:3 SCHEMA -',
      '6:3 SCHEMA -',
      '11:20 CYCLE a',
      '16:23 UNKNOWN_DEPENDENCY b',
      '18:5 SCHEMA b',
      '19:5 DUPLICATE_NODE b',
      '23:5 NO_EXECUTOR lonely',
      '26:20 SELF_DEPENDENCY lonely',
      '27:5 SCHEMA lonely',
      '31:5 STEP_NOT_FOUND both',
      '32:5 TWO_EXECUTORS both',
      '36:5 BAD_USES uses',
      '40:5 EDGE_MISMATCH conditional',
      '41:5 BAD_CONDITION conditional',
      '41:5 BAD_CONDITION conditional',
      '46:5 BAD_CONDITION syntax',
      '48:5 BAD_GROUP group',
      '51:5 BAD_CONTRACT group',
      '52:5 BAD_GROUP group',
      '55:5 SCHEMA person',
      '57:7 SCHEMA person',
      '58:7 SCHEMA person',
      '59:5 SCHEMA person',
      '60:5 SCHEMA -',
      '62:32 BAD_CONDITION person',
      '63:7 UNKNOWN_DEPENDENCY -',
      '64:5 EDGE_MISMATCH conditional',
    ]);
    expect(found.every((p) => p.file === `${FIXTURES}/everything-wrong.yaml`)).toBe(true);
  });

  it('says it in the words of people', async () => {
    const messages = (await problemsOf('everything-wrong.yaml')).map((p) => p.message);
    expect(messages).toEqual(
      expect.arrayContaining([
        'workflow.on_failure must be one of fail_fast, continue, not "fail-fast" (did you mean "fail_fast"?)',
        'workflow.owner is not a known property',
        'the dependencies form a cycle: a → b → a',
        'node "b" depends on "bb", which is not a node (did you mean "b"?)',
        'nodes[1].timeout_seconds must be > 0, not 0',
        'nodes[3].retry_polcy is not a known property (did you mean "retry_policy"?)',
        'nodes[9].run must be a string, not 5',
        'nodes[10] must be an object, not 17',
      ]),
    );
  });

  it('finds the places in JSON too', async () => {
    expect(await problemsOf('cycle.json')).toMatchObject([
      { code: 'CYCLE', line: 4, column: 81, node_id: 'a' },
    ]);
  });

  it('throws CYCLE when cycles are all that is wrong, SPEC_INVALID otherwise', () => {
    const cyclic = spec(node('a', { dependencies: ['b'] }), node('b', { dependencies: ['a'] }));
    expect(() => workflowFromSpec(cyclic)).toThrow(expect.objectContaining({ code: 'CYCLE' }) as Error);
    const worse = { ...cyclic, nodes: [...cyclic.nodes, node('c', { run: undefined })] };
    expect(() => workflowFromSpec(worse)).toThrow(
      expect.objectContaining({
        code: 'SPEC_INVALID',
        message: expect.stringContaining('(and 1 more)') as string,
      }) as Error,
    );
  });

  it('reports cycles that share no node separately', () => {
    const twice = spec(...['a', 'b', 'c', 'd'].map((id, i, all) => node(id, { dependencies: [all[i ^ 1]] })));
    expect(errorsOf(twice)).toEqual([
      'the dependencies form a cycle: a → b → a',
      'the dependencies form a cycle: c → d → c',
    ]);
  });

  it('refuses isolations that make no sense, and limits that nothing can enforce', () => {
    const uses = { run: undefined, uses: 'maestro:noop#task' };
    const heap = { resources: { max_heap_mb: 64 } };
    const workflow = { id: 'w', name: 'W', isolation: 'process' };
    const command = 'has "run" and an isolation: a command is always a process of its own';
    const limit =
      'has "max_heap_mb", which only a child process can be held to: set "isolation: process", with "uses"';
    const refused: [object, object?][] = [
      [{ isolation: 'process' }],
      [{ isolation: 'inline' }],
      [{ run: undefined, sleep: { seconds: 1 }, isolation: 'thread' }],
      [{ ...uses, ...heap }],
      [{ ...uses, ...heap, isolation: 'thread' }],
      [{ ...uses, ...heap, isolation: 'inline' }, workflow],
      [{ ...heap }, workflow],
    ];
    const messages = refused.map(([more, header = { id: 'w', name: 'W' }]) =>
      errorsOf({ workflow: header, nodes: [node('n', more)] }).map((text) => text.slice('node "n" '.length)),
    );
    const idle = 'has an isolation but no "uses": it would have no effect';
    expect(messages).toEqual([[command], [command], [idle], [limit], [limit], [limit], [limit]]);
    const fine = [uses, { ...uses, isolation: 'inline' }, { ...uses, ...heap, isolation: 'process' }];
    expect(errorsOf(spec(...fine.map((more, i) => node(`n${i}`, more))))).toEqual([]);
    expect(errorsOf({ workflow, nodes: [node('n', { ...uses, ...heap }), node('m')] })).toEqual([]);
    expect(errorsOf(spec(node('n', { ...uses, isolation: 'fibre', resources: { max_heap_mb: 1 } })))).toEqual(
      [
        'nodes[0].isolation must be one of inline, thread, process, not "fibre"',
        'nodes[0].resources.max_heap_mb must be >= 16, not 1',
        expect.stringContaining(limit),
      ],
    );
  });

  it('refuses to run a function anywhere but inline', () => {
    const functions = new Map([['n', () => 1]]);
    const of = (isolation: string) =>
      validateSpec(spec(node('n', { run: undefined, isolation })), { functions });
    expect(of('inline').problems).toEqual([]);
    for (const isolation of ['thread', 'process'])
      expect(of(isolation).problems).toMatchObject([
        {
          code: 'BAD_ISOLATION',
          message: `node "n" executes a function, which can only run inline: for "${isolation}" export it from a module and name it with "uses"`,
        },
      ]);
  });

  it('refuses a workflow without nodes, and values that are no workflow', () => {
    expect(errorsOf(spec())).toEqual(['nodes is empty: a workflow needs at least one node']);
    for (const value of [null, undefined, 1, 'text', [], {}, { workflow: 1, nodes: {} }, { nodes: [null] }]) {
      expect(errorsOf(value).length).toBeGreaterThan(0);
    }
  });

  it.each(['__proto__', 'constructor', 'prototype', 'a\nb', '', 'x'.repeat(256), '😀'.repeat(200)])(
    'refuses the node id %j',
    (id) => {
      expect(errorsOf(spec(node(id))).join()).toMatch(/nodes\[0\]\.id/);
    },
  );

  it('takes any readable node id', () => {
    for (const id of ['toString', '1', 'a/b c', 'Ünï→', '😀']) expect(errorsOf(spec(node(id)))).toEqual([]);
  });

  it('refuses unknown properties even when they are called __proto__', () => {
    const text = '{"workflow":{"id":"w","name":"W","__proto__":{}},"nodes":[]}';
    expect(errorsOf(JSON.parse(text)).join()).toContain('workflow.__proto__ is not a known property');
  });

  it('bounds the list of problems', () => {
    const { problems } = validateSpec(spec(...Array.from({ length: 3000 }, () => ({}))));
    expect(problems).toHaveLength(1001);
    expect(problems.at(-1)?.message).toMatch(/more problems are not listed/);
  });

  it('refuses data nested without end, and what is not data', () => {
    const deep: Record<string, unknown> = {};
    let at = deep;
    for (let i = 0; i < 500; i++) at = at.x = {};
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    for (const config of [deep, circular, { big: 1n }]) {
      expect(() => workflowFromSpec(spec(node('a', { config })))).toThrow(
        expect.objectContaining({ code: 'SPEC_INVALID' }) as Error,
      );
    }
  });
});

describe('edges', () => {
  it('give dependencies to nodes that list none', () => {
    const edges = [
      { from: 'a', to: 'b' },
      { from: 'a', to: 'b' },
    ];
    const { spec: normal } = validateSpec({ ...spec(node('a'), node('b', { dependencies: [] })), edges });
    expect(normal?.nodes.map((n) => n.dependencies)).toEqual([[], ['a']]);
    expect(normal).not.toHaveProperty('edges');
  });

  it('may repeat what dependencies say, but not differ from them', () => {
    const nodes = [node('a'), node('b'), node('c', { dependencies: ['b', 'a', 'a'] })];
    const both = [
      { from: 'a', to: 'c' },
      { from: 'b', to: 'c' },
    ];
    expect(validateSpec({ ...spec(...nodes), edges: both }).spec?.nodes[2].dependencies).toEqual(['b', 'a']);
    expect(errorsOf({ ...spec(...nodes), edges: both.slice(1) })).toEqual([
      'the dependencies of "c" have "a", but edges, which lead to it from others, do not',
    ]);
  });

  it('are part of cycles and of self-dependencies', () => {
    const nodes = [node('a'), node('b', { dependencies: ['a'] })];
    expect(errorsOf({ ...spec(...nodes), edges: [{ from: 'b', to: 'a' }] })).toEqual([
      'the dependencies form a cycle: a → b → a',
    ]);
    expect(errorsOf({ ...spec(...nodes), edges: [{ from: 'a', to: 'a' }] })).toEqual([
      'node "a" depends on itself',
    ]);
  });
});

describe('conditions', () => {
  it('may read the outputs of any ancestor', () => {
    const chain = spec(
      node('a'),
      node('b', { dependencies: ['a'] }),
      node('c', {
        dependencies: ['b'],
        condition: "outputs.a.ok && outputs['b'].ok && global_context.x == 1.0",
      }),
    );
    expect(errorsOf(chain)).toEqual([]);
  });

  it('may not read their own output or one from elsewhere', () => {
    const wrong = spec(
      node('a', { condition: 'outputs.a == 1 || outputs.b == 1' }),
      node('b', { dependencies: ['a'] }),
    );
    expect(errorsOf(wrong)).toHaveLength(2);
    expect(errorsOf(wrong).join()).toContain('which it does not depend on');
  });
});

describe('warnings', () => {
  it('do not stand in the way', () => {
    const { spec: normal, problems } = validateSpec(
      spec(
        node('a', { type: 'conditional' }),
        node('b', { run: undefined, uses: 'maestro:sleep#task', env: { A: 'b' } }),
      ),
    );
    expect(normal).toBeDefined();
    expect(problems.map((p) => [p.severity, p.code])).toEqual([
      ['warning', 'DISCONNECTED'],
      ['warning', 'UNUSED_ENV'],
      ['warning', 'NO_CONDITION'],
    ]);
  });
});

describe('functions', () => {
  it('count as executors and must belong to a node', () => {
    const functions = new Map([['a', () => 1]]);
    expect(() => workflowFromSpec(spec(node('a', { run: undefined })), { functions })).not.toThrow();
    expect(() => workflowFromSpec(spec(node('a')), { functions })).toThrow(/"run" and a function/);
    expect(() => workflowFromSpec(spec(node('aa')), { functions })).toThrow(
      /function for "a", which is not a node/,
    );
  });
});
