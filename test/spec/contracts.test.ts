import { describe, expect, it } from 'vitest';
import { defineWorkflow, validateSpec, workflowFromSpec, type ContractSpec } from '../../src/spec/index.js';
import { step } from './step-node.js';

const contract = (id: string, more: Partial<ContractSpec> = {}): ContractSpec => ({
  id,
  schema: { type: 'object' },
  ...more,
});
const spec = (contracts: unknown, ...nodes: unknown[]): unknown => ({
  workflow: { id: 'w', name: 'w' },
  contracts,
  nodes,
});
const gives = step('gives', { output_contracts: ['api'] });
const needs = step('needs', { dependencies: ['gives'], input_contracts: ['api'] });

const problemsOf = (given: unknown, severity = 'error'): string[] =>
  validateSpec(given)
    .problems.filter((problem) => problem.severity === severity)
    .map(({ code, message }) => `${code}: ${message}`);

describe('contracts in a spec', () => {
  it('are kept, also when the one who needs them depends on the promise indirectly or through a group', () => {
    const { spec: kept } = workflowFromSpec(
      spec(
        [contract('api', { version: '2', severity: 'warning', stage: 'amended' })],
        gives,
        step('between', { dependencies: ['gives'] }),
        step('needs', { dependencies: ['between'], input_contracts: ['api'] }),
        { id: 'g', name: 'g', type: 'parallel_group', members: ['gives'] },
        step('after', { dependencies: ['g'], input_contracts: ['api'] }),
      ),
    );
    expect(kept.contracts).toEqual([
      { id: 'api', version: '2', severity: 'warning', stage: 'amended', schema: { type: 'object' } },
    ]);
  });

  it.each<[string, unknown, string]>([
    [
      'an unknown one',
      spec([contract('api')], gives, step('x', { output_contracts: ['apu'] })),
      'UNKNOWN_CONTRACT: node "x" has contract "apu", which "contracts" does not declare (did you mean "api"?)',
    ],
    ['none declared', spec(undefined, gives), 'UNKNOWN_CONTRACT: node "gives"'],
    [
      'the same id twice',
      spec([contract('api'), contract('api')], gives, needs),
      'DUPLICATE_ID: contract "api" is there twice, first as contracts[0]',
    ],
    [
      'a schema that is none',
      spec([contract('api', { schema: { type: 'objekt' } })], gives),
      'BAD_SCHEMA: contract "api": its schema is no valid JSON Schema',
    ],
    [
      'a misspelt keyword',
      spec([contract('api', { schema: { requird: [] } })], gives),
      'BAD_SCHEMA: contract "api"',
    ],
    ['no schema', spec([{ id: 'api' }], gives), 'SCHEMA: contracts[0].schema is missing'],
    [
      'an unknown severity',
      spec([{ ...contract('api'), severity: 'fatal' }], gives),
      'SCHEMA: contracts[0].severity must be one of',
    ],
    [
      'a stage that only nodes can bring about',
      spec([{ ...contract('api'), stage: 'verified' }], gives),
      'SCHEMA: contracts[0].stage must be one of',
    ],
    [
      'nobody who promises what is needed',
      spec([contract('api')], step('gives'), needs),
      'BAD_CONTRACT: node "needs" needs contract "api", which no node promises',
    ],
    [
      'no dependency on the promise',
      spec(
        [contract('api')],
        gives,
        step('other'),
        step('needs', { dependencies: ['other'], input_contracts: ['api'] }),
      ),
      'BAD_CONTRACT: node "needs" needs contract "api", but does not depend on "gives"',
    ],
    [
      'a rule that may not wait for the promise',
      spec([contract('api')], gives, { ...needs, trigger_rule: 'one_done' }),
      'BAD_CONTRACT: node "needs" needs contract "api", but its trigger_rule may let it run before',
    ],
    [
      'its own promise needed',
      spec([contract('api')], step('a', { output_contracts: ['api'], input_contracts: ['api'] })),
      'BAD_CONTRACT: node "a" needs contract "api", but does not depend on "a"',
    ],
    [
      'a stage that does not bind needed',
      spec([contract('api', { stage: 'draft' })], gives, needs),
      'BAD_CONTRACT: node "needs" needs contract "api", which is draft',
    ],
    [
      'a promise of a group',
      spec([contract('api')], step('a'), {
        id: 'g',
        name: 'g',
        type: 'parallel_group',
        members: ['a'],
        output_contracts: ['api'],
      }),
      'BAD_CONTRACT: node "g" is a parallel_group',
    ],
  ])('are refused with %s', (_, given, expected) => {
    expect(problemsOf(given).map((problem) => problem.slice(0, expected.length))).toContain(expected);
  });

  it('are warned of when they have no effect', () => {
    expect(problemsOf(spec([contract('api')], step('a')), 'warning')).toEqual([
      'UNUSED_CONTRACT: no node has contract "api": it has no effect',
    ]);
    expect(problemsOf(spec([contract('api', { stage: 'proposed' })], gives), 'warning')).toEqual([
      'CONTRACT_STAGE: contract "api" is proposed: the output of node "gives" is not held against it',
    ]);
  });

  it('come out of the builder as out of a file', () => {
    const built = defineWorkflow({ id: 'w', contracts: [contract('api')] })
      .node('gives', { run: 'true', outputContracts: ['api'] })
      .node('needs', { dependsOn: ['gives'], run: 'true', inputContracts: ['api'] });
    const { definitionHash } = built.build();
    expect(built.toSpec()).toMatchObject({ contracts: [contract('api')] });
    expect(definitionHash).toBe(workflowFromSpec(spec([contract('api')], gives, needs)).definitionHash);
    const other = workflowFromSpec(spec([contract('api', { schema: {} })], gives, needs));
    expect(other.definitionHash).not.toBe(definitionHash);
  });
});
