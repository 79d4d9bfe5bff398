import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideTrigger, type TriggerCounts } from '../../src/policy/trigger.js';
import { conformanceRows } from './conformance.js';

interface Row {
  id: string;
  rule: string;
  upstream: string[];
  expect: string;
}

const AIRFLOW = { run: 'run', wait: 'wait', skip: 'skipped', block: 'upstream_failed' };

function countsOf(upstream: readonly string[]): TriggerCounts {
  const count = (...states: string[]) => upstream.filter((state) => states.includes(state)).length;
  return {
    total: upstream.length,
    succeeded: count('success'),
    failed: count('failed', 'upstream_failed'),
    skipped: count('skipped'),
  };
}

const rows = conformanceRows<Row>('trigger-rules.json');

describe.skipIf(rows === undefined)('decideTrigger as Airflow decides', () => {
  const applicable = (rows ?? []).filter(({ rule }) => rule === 'all_success');
  it('has rows to run', () => expect(applicable.length).toBeGreaterThan(30));
  it.each(applicable)('$id: $upstream → $expect', ({ upstream, expect: expected }) => {
    expect(upstream.every((state) => /^(success|failed|upstream_failed|skipped|running)$/.test(state))).toBe(
      true,
    );
    expect(AIRFLOW[decideTrigger(countsOf(upstream))]).toBe(expected);
  });
});

describe('decideTrigger', () => {
  it('runs a node without dependencies', () => {
    expect(decideTrigger({ total: 0, succeeded: 0, failed: 0, skipped: 0 })).toBe('run');
  });

  it('never takes a mark back, except a skip for a block: what is decided early stays right', () => {
    const finished = fc.array(fc.constantFrom('success', 'failed', 'skipped'), { maxLength: 8 });
    fc.assert(
      fc.property(finished, fc.nat({ max: 8 }), (states, known) => {
        const early = states.map((state, index) => (index < known ? state : 'running'));
        const before = decideTrigger(countsOf(early));
        const after = decideTrigger(countsOf(states));
        expect(after).not.toBe('wait');
        if (before === 'skip') expect(['skip', 'block']).toContain(after);
        else if (before !== 'wait') expect(after).toBe(before);
      }),
    );
  });
});
