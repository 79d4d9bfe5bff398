import fc from 'fast-check';
import { EngineDriver, type NodeScript, type Script } from './engine-driver.js';
import { dagArbitrary, lcg } from './random-dag.js';

const nodeScript: fc.Arbitrary<NodeScript> = fc.record(
  {
    outcomes: fc.oneof(
      { weight: 6, arbitrary: fc.constant(['ok' as const]) },
      {
        weight: 2,
        arbitrary: fc.array(fc.constantFrom('ok' as const, 'fail' as const, 'lost' as const), {
          minLength: 1,
          maxLength: 3,
        }),
      },
    ),
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    condition: fc.option(fc.constantFrom<boolean | 'error'>(true, true, true, false, 'error'), {
      nil: undefined,
      freq: 5,
    }),
  },
  { requiredKeys: ['outcomes', 'maxAttempts'] },
);

/** A random graph of up to `size` nodes, what its nodes do, and how it is run. */
export function scriptOver(size: number): fc.Arbitrary<Script & { seed: number }> {
  return dagArbitrary(size)
    .chain(({ plan }) =>
      fc.record({
        plan: fc.constant(plan),
        nodes: fc.array(nodeScript, { minLength: plan.nodeCount, maxLength: plan.nodeCount }),
        failureMode: fc.constantFrom('fail_fast' as const, 'continue' as const),
        linear: fc.boolean(),
        retries: fc.boolean(),
        concurrency: fc.constantFrom(1, 2, 7, 1000),
        seed: fc.integer(),
      }),
    )
    .map((script) => (script.linear ? { ...script, concurrency: 1 } : script));
}

export const scriptArbitrary = scriptOver(200);

export function drive(script: Script & { seed: number }): EngineDriver {
  const random = lcg(script.seed);
  return new EngineDriver(script, () => Math.floor(random() * 1e9));
}

export function begun(script: Script & { seed: number }): EngineDriver {
  const driver = drive(script);
  driver.apply({ type: 'startRequested' });
  return driver;
}

/** A whole life. */
export function played(script: Script & { seed: number }): EngineDriver {
  const driver = begun(script);
  driver.play();
  return driver;
}
