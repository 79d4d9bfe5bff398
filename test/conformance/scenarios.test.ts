import { describe, expect, it } from 'vitest';
import { conformanceRows } from '../policy/conformance.js';
import { FLAG_SCENARIOS } from './scenarios-flags.js';
import { GRAPH_SCENARIOS } from './scenarios-graph.js';
import { RUNTIME_SCENARIOS } from './scenarios-runtime.js';

/** What the original system promised, retold: each row of the file, and the code that proves it. */
const TABLES = [GRAPH_SCENARIOS, FLAG_SCENARIOS, RUNTIME_SCENARIOS];
const scenarios = new Map<string, () => void | Promise<void>>(
  TABLES.flatMap((table) => Object.entries(table)),
);

const rows = conformanceRows<{ id: string; given: string; when: string; then: string }>('scenarios.json');

describe.skipIf(rows === undefined)('the scenarios (skipped without ../shared)', () => {
  it('are 28, each with its code, and no code is without a scenario', () => {
    expect(rows).toHaveLength(28);
    expect([...scenarios.keys()].sort()).toEqual(rows!.map(({ id }) => id).sort());
    expect(TABLES.flatMap((table) => Object.keys(table))).toHaveLength(scenarios.size);
  });

  it.each(rows ?? [])('$id: given $given, when $when, then $then', async ({ id }) => {
    await (scenarios.get(id) ?? expect.fail(`no code for ${id}`))();
  });
});
