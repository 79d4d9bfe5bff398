import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePlan } from '../../src/graph/index.js';
import { definitionHash } from '../../src/spec/index.js';
import { graphNodes, planOf } from '../../src/spec/plans.js';
import type { NodeSpec, WorkflowSpec } from '../../src/spec/types.js';
import { decodeDefinition, encodeDefinition } from '../../src/store/definition-codec.js';
import { FORMAT_VERSION, seal, sealJson, unseal } from '../../src/store/envelope.js';

const KEY = 'd/abc';

/** Fields in any order, many nodes alike; what nodes run is nobody's business here. */
const fields = fc.oneof(
  fc.constant({}),
  fc.constant({ uses: './a.js#b', config: { a: 1 } }),
  fc.record(
    {
      uses: fc.constantFrom('./a.js#b', './a.js#c'),
      config: fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }),
      timeout_seconds: fc.nat(3),
      expected_seconds: fc.constant(0),
    },
    { requiredKeys: [] },
  ),
);

const specs = fc
  .uniqueArray(fc.string({ minLength: 1, unit: 'grapheme' }), { minLength: 1, maxLength: 30 })
  .chain((ids) =>
    fc.record({
      rest: fc.record(
        { edges: fc.constant([]), contracts: fc.constant({ x: { type: 'file' } }) },
        { requiredKeys: [] },
      ),
      nodes: fc.tuple(
        ...ids.map((id, index) =>
          fc.record({
            own: fc.constant(id),
            name: fc.oneof({ weight: 3, arbitrary: fc.constant(id) }, fc.string()),
            // With repetitions; those of nodes that come later now and then, which may make a cycle.
            dependencies: fc.array(fc.constantFrom(...ids.slice(0, Math.max(1, index))), {
              maxLength: index === 0 ? 0 : 4,
            }),
            fields,
            isFirst: fc.boolean(),
          }),
        ),
      ),
    }),
  )
  .map(({ rest, nodes }): WorkflowSpec => {
    const all = nodes.map(({ own, name, dependencies, fields: more, isFirst }) =>
      isFirst
        ? { ...more, id: own, name, type: 'custom', dependencies }
        : { id: own, type: 'custom', dependencies, name, ...more },
    );
    return { workflow: { id: 'w', name: 'w' }, ...rest, nodes: all as unknown as NodeSpec[] } as WorkflowSpec;
  });

describe('a definition that is stored by columns', () => {
  it('is read as it was written, to the order of its fields', () => {
    fc.assert(
      fc.property(specs, (spec) => {
        const read = decodeDefinition(KEY, encodeDefinition(KEY, spec, 1));
        expect(JSON.stringify(read)).toBe(JSON.stringify(spec));
        expect(definitionHash(read)).toBe(definitionHash(spec));
      }),
    );
  });

  it('has the plan that its nodes have', () => {
    fc.assert(
      fc.property(specs, (spec) => {
        const { indexOf, ...plan } = planOf(decodeDefinition(KEY, encodeDefinition(KEY, spec, 1)));
        const { indexOf: _, ...wanted } = compilePlan(graphNodes(spec));
        expect(plan).toEqual(wanted);
        spec.nodes.forEach(({ id }, index) => expect(indexOf.get(id)).toBe(index));
        expect(indexOf.get('no such node, by any name')).toBeUndefined();
      }),
    );
  });

  it('has the plan that its nodes have, with groups, maps and compensations', () => {
    const spec: WorkflowSpec = {
      workflow: { id: 'w', name: 'w' },
      nodes: [
        { id: 'a', name: 'a', type: 'custom', dependencies: [] },
        { id: 'b', name: 'b', type: 'custom', dependencies: [], map: '[1]' },
        { id: 'c', name: 'c', type: 'custom', dependencies: [] },
        { id: 'g', name: 'g', type: 'custom', dependencies: ['a'], members: ['b', 'c'] },
        { id: 'u', name: 'u', type: 'custom', dependencies: [], compensates: 'a' },
      ],
    };
    const { indexOf: _, ...plan } = planOf(decodeDefinition(KEY, encodeDefinition(KEY, spec, 1)));
    const { indexOf: __, ...wanted } = compilePlan(graphNodes(spec));
    expect(plan).toEqual(wanted);
  });

  it('is found to have a cycle, although only validated ones are stored', () => {
    const nodes = ['a', 'b', 'c'].map((id, at, ids) => ({
      id,
      name: id,
      type: 'custom' as const,
      dependencies: [ids[(at + 1) % 3]],
    }));
    const spec: WorkflowSpec = { workflow: { id: 'w', name: 'w' }, nodes };
    expect(() => planOf(decodeDefinition(KEY, encodeDefinition(KEY, spec, 1)))).toThrow(
      expect.objectContaining({ code: 'CYCLE' }),
    );
  });

  it('takes much less room when nodes are alike', () => {
    const nodes = Array.from({ length: 2000 }, (_, at) => ({
      id: `node-${at}`,
      name: `node-${at}`,
      type: 'custom' as const,
      dependencies: at < 100 ? [] : [`node-${at - 100}`, `node-${at - 50}`],
      uses: './steps.js#task',
      config: { body: { kind: 'noop' }, payloadBytes: 0 },
    }));
    const spec: WorkflowSpec = { workflow: { id: 'w', name: 'w' }, nodes };
    const byColumns = encodeDefinition(KEY, spec);
    expect(byColumns.length * 7).toBeLessThan(sealJson(KEY, spec).length);
    expect(byColumns[0]).toBe(FORMAT_VERSION);
    expect(decodeDefinition(KEY, byColumns)).toEqual(spec);
  });
});

describe('other definitions', () => {
  const small: WorkflowSpec = {
    workflow: { id: 'w', name: 'w' },
    nodes: [{ id: 'a', name: 'a', type: 'custom', dependencies: [] }],
  };

  it('are JSON, which every release reads: small ones', () => {
    expect(encodeDefinition(KEY, small)).toEqual(sealJson(KEY, small));
    expect(decodeDefinition(KEY, sealJson(KEY, small))).toEqual(small);
  });

  it('are JSON as well when they were never validated', () => {
    const odd = { ...small, nodes: [{ ...small.nodes[0], dependencies: ['nowhere'] }] };
    expect(encodeDefinition(KEY, odd, 1)).toEqual(sealJson(KEY, odd));
    const { dependencies: _, ...bare } = small.nodes[0];
    const without: WorkflowSpec = { ...small, nodes: [bare] };
    expect(encodeDefinition(KEY, without, 1)).toEqual(sealJson(KEY, without));
  });

  it.each(['two\nlines', 'half of a \ud83d'])(
    'are JSON as well when a name is no line of text: %j',
    (name) => {
      const spec = { ...small, nodes: [{ ...small.nodes[0], name }] };
      expect(encodeDefinition(KEY, spec, 1)).toEqual(sealJson(KEY, spec));
      expect(decodeDefinition(KEY, encodeDefinition(KEY, spec, 1))).toEqual(spec);
    },
  );

  it('are told to be damaged when their bytes mean nothing, whatever they are', () => {
    fc.assert(
      fc.property(specs, fc.nat(), fc.nat(255), fc.nat(20), (spec, place, byte, cut) => {
        const payload = Buffer.from(unseal(KEY, encodeDefinition(KEY, spec, 1)));
        payload[place % payload.length] = byte;
        const bytes = seal(KEY, payload.subarray(0, payload.length - cut), FORMAT_VERSION);
        try {
          const read = decodeDefinition(KEY, bytes);
          expect(Array.isArray(read.nodes)).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: 'RECORD_CORRUPT' });
        }
      }),
      { numRuns: 1000 },
    );
  });
});
