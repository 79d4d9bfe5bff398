import { afterEach, describe, expect, it, vi } from 'vitest';
import { breachOf, type Contract } from '../../src/policy/contracts.js';
import * as schemas from '../../src/policy/json-schema.js';
import { Contracts } from '../../src/policy/contracts.js';

vi.mock(import('../../src/policy/json-schema.js'), async (original) => {
  const actual = await original();
  return { ...actual, compileViolations: vi.fn(actual.compileViolations) };
});
afterEach(() => vi.mocked(schemas.compileViolations).mockClear());

const contract = (id: string, schema: object, more: Partial<Contract> = {}): Contract => ({
  id,
  schema,
  severity: 'blocking',
  stage: 'accepted',
  ...more,
});
const prices = contract('prices', {
  type: 'object',
  required: ['items'],
  properties: { items: { type: 'array', items: { type: 'integer', minimum: 0 } } },
});

describe('contracts', () => {
  it('compile each schema once, when it is first needed, and parse nothing for other nodes', () => {
    const bound = { inputs: [], outputs: [prices] };
    const contracts = new Contracts([prices], new Map([1, 2, 3].map((node) => [node, bound])));
    expect(schemas.compileViolations).not.toHaveBeenCalled();
    for (let attempt = 0; attempt < 50; attempt++)
      for (const node of [1, 2, 3]) contracts.verify(node, '{"items":[1]}');
    expect(schemas.compileViolations).toHaveBeenCalledTimes(1);
    expect(contracts.verify(0, 'this is no JSON, and nobody looks')).toBeUndefined();
  });

  it.each<[string, string, string, string | null]>([
    ['verified', '{"items":[]}', 'verified', null],
    [
      'breached at a place',
      '{"items":[3,-4]}',
      'breached',
      'node "n" breached contract "prices" at /items/1: items.1 must be >= 0, but is -4',
    ],
    [
      'breached as a whole',
      '{}',
      'breached',
      `node "n" breached contract "prices": the value must have required property 'items', but is {}`,
    ],
    [
      'breached in several places',
      '{"items":["a",1.5]}',
      'breached',
      'node "n" breached contract "prices" at /items/0: items.0 must be integer, but is "a" (and 1 more)',
    ],
  ])('are %s', (_, output, status, message) => {
    const contracts = new Contracts([prices], new Map([[0, { inputs: [], outputs: [prices] }]]));
    const verdicts = contracts.verify(0, output)!;
    expect(verdicts).toMatchObject([{ contract: 'prices', side: 'output', status }]);
    expect(breachOf(verdicts, 'n')?.message ?? null).toBe(message);
  });

  it('keep bounded evidence, and do not fail anything when they only warn', () => {
    const warning = contract('w', prices.schema, { severity: 'warning' });
    const contracts = new Contracts([warning], new Map([[0, { inputs: [], outputs: [warning] }]]));
    const items = Array.from({ length: 500 }, () => 'x'.repeat(1000));
    const [verdict] = contracts.verify(0, JSON.stringify({ items }))!;
    expect(verdict.status).toBe('verified_with_warnings');
    expect(verdict.problems).toHaveLength(20);
    expect(JSON.stringify(verdict).length).toBeLessThan(5000);
    expect(breachOf([verdict], 'n')).toBeNull();
  });
});
