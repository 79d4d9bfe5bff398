import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideTrigger,
  TRIGGER_RULES,
  type TriggerCounts,
  type TriggerRule,
} from '../../src/policy/trigger.js';
import { conformanceRows } from './conformance.js';

interface Row {
  id: string;
  rule: string;
  upstream: string[];
  expect: string;
}

/** What Airflow gives its teardown tasks, and no user writes. There are no setup and teardown nodes here. */
const INTERNAL = 'all_done_setup_success';
const AIRFLOW = { run: 'run', wait: 'wait', skip: 'skipped', block: 'upstream_failed' };

function countsOf(upstream: readonly string[]): TriggerCounts {
  const count = (...states: string[]) => upstream.filter((state) => states.includes(state)).length;
  return {
    total: upstream.length,
    succeeded: count('success'),
    failed: count('failed'),
    blocked: count('upstream_failed'),
    skipped: count('skipped'),
  };
}

const rows = conformanceRows<Row>('trigger-rules.json');

describe.skipIf(rows === undefined)('decideTrigger as Airflow decides', () => {
  const applicable = (rows ?? []).filter(({ rule }) => rule !== INTERNAL);
  it('has rows for every rule, and a rule for every row', () => {
    expect([...new Set(applicable.map(({ rule }) => rule))].sort()).toEqual([...TRIGGER_RULES].sort());
  });
  it.each(applicable)('$id: $rule, $upstream → $expect', ({ rule, upstream, expect: expected }) => {
    expect(upstream.every((state) => /^(success|failed|upstream_failed|skipped|running)$/.test(state))).toBe(
      true,
    );
    expect(AIRFLOW[decideTrigger(countsOf(upstream), rule as TriggerRule)]).toBe(expected);
  });
});

describe('decideTrigger', () => {
  it('runs a node without dependencies', () => {
    for (const rule of TRIGGER_RULES) expect(decideTrigger(countsOf([]), rule)).toBe('run');
  });

  it('decides every rule once all have finished, and takes back early only a skip for a block', () => {
    const states = fc.array(fc.constantFrom('success', 'failed', 'upstream_failed', 'skipped'), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(states, fc.nat({ max: 8 }), fc.constantFrom(...TRIGGER_RULES), (ends, known, rule) => {
        const early = ends.map((state, index) => (index < known ? state : 'running'));
        const before = decideTrigger(countsOf(early), rule);
        const after = decideTrigger(countsOf(ends), rule);
        expect(after).not.toBe('wait');
        if (before === 'run') expect(after).toBe('run');
        if (before === 'block') expect(after).toBe('block');
        if (before === 'skip') expect(['skip', 'block']).toContain(after);
      }),
    );
  });
});
