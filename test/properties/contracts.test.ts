import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LEAF } from '../../src/engine/columns.js';
import { contractScripts, type ContractScript } from '../support/contract-scripts.js';
import { EngineDriver, replay } from '../support/engine-driver.js';
import { begun, played } from '../support/engine-scripts.js';
import { lcg } from '../support/random-dag.js';
import { expectReplayed } from './replayed.js';

const scripts = contractScripts(40);
/**
 * Without rules that let nodes run while what is above them still does: for those it is a matter of time whether a
 * promise has been kept when they begin.
 */
const continuing = (size: number): fc.Arbitrary<ContractScript> =>
  contractScripts(size)
    .filter(({ asks }) => ![...asks.values()].some((ask) => 'rule' in ask && EARLY.has(ask.rule!)))
    .map((script) => ({ ...script, failureMode: 'continue' as const }));
const EARLY: ReadonlySet<string> = new Set(['one_success', 'one_failed', 'one_done', 'always']);

/** Whether a contract that exactly one node promises is verified, from the journal's state alone. */
function isVerified(
  { contracts }: ContractScript,
  id: string,
  { columns }: ReturnType<typeof replay>,
): boolean {
  const [provider] = contracts.providersOf(id);
  const verdict = columns.contracts
    .get(provider)
    ?.find(({ contract, side }) => contract === id && side === 'output');
  return columns.leaf[provider] === LEAF.completed && verdict !== undefined && verdict.status !== 'breached';
}

/** Every start of a node that does not fail at once, with how everything was then. */
function* starts(
  script: ContractScript,
  driver: EngineDriver,
): Generator<[node: number, state: ReturnType<typeof replay>]> {
  const state = replay(script.plan, []);
  const entries = driver.journal.flat();
  for (const [k, entry] of entries.entries()) {
    const next = entries[k + 1];
    const failsAtOnce =
      next?.node === entry.node && next.event.type === 'attemptFailed' && next.event.durationMs === 0;
    if (entry.event.type === 'attemptStarted' && !failsAtOnce) yield [entry.node, state];
    state.replay(entry);
  }
}

/** What a node has kept to, or is not completed. */
function expectKept(script: ContractScript, { engine: { state } }: EngineDriver): void {
  script.nodes.forEach((_, node) => {
    const verdicts = state.columns.contracts.get(node) ?? [];
    const promised = script.contracts.promisedBy(node);
    if (promised.length === 0) return;
    if (state.columns.leaf[node] === LEAF.completed) {
      const kept = verdicts.filter(({ side }) => side === 'output');
      expect(kept.map(({ contract }) => contract)).toEqual(promised.map(({ id }) => id));
      for (const { status } of kept) expect(status).not.toBe('breached');
    }
  });
}

describe('contracts over random graphs with rules', () => {
  it('let no node run without a blocking contract that it needs', () => {
    let gated = 0;
    fc.assert(
      fc.property(scripts, (script) => {
        const driver = played(script);
        for (const [node, state] of starts(script, driver))
          for (const { id, severity } of script.contracts.neededBy(node))
            if (severity === 'blocking')
              expect(isVerified(script, id, state), `${node} needs ${id}`).toBe(true);
        for (const { code } of driver.engine.state.columns.error.values())
          if (code === 'CONTRACT_UNVERIFIED') gated++;
        expectKept(script, driver);
        expectReplayed(driver, script.plan);
      }),
      { numRuns: 100 },
    );
    // The property is about something: some nodes were held back.
    expect(gated).toBeGreaterThan(3);
  });

  it('end alike after a crash at any commit', () => {
    fc.assert(
      fc.property(continuing(10), (script) => {
        const whole = played(script);
        for (let kept = 1; kept <= whole.journal.length; kept++) {
          const random = lcg(script.seed + 3);
          const state = replay(script.plan, whole.journal.slice(0, kept));
          const after = new EngineDriver(script, () => Math.floor(random() * 1e9), state);
          after.nowMs = whole.nowMs;
          after.engine.recover(after.nowMs);
          after.turn();
          after.play();
          expectKept(script, after);
          expect([...after.engine.state.columns.leaf]).toEqual([...whole.engine.state.columns.leaf]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('are looked at anew when nodes run again', () => {
    fc.assert(
      fc.property(scripts, fc.nat(), fc.boolean(), (script, pick, cascade) => {
        const driver = begun(script);
        driver.play();
        driver.apply({ type: 'rerunRequested', node: pick % script.plan.nodeCount, cascade });
        driver.play();
        driver.apply({ type: 'retryRequested' });
        driver.play();
        expectKept(script, driver);
        expectReplayed(driver, script.plan);
      }),
      { numRuns: 80 },
    );
  });
});
