import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Job, StepCall, StepRef } from '../../src/pool/index.js';
import { BatchReader, encodeBatch, type WireBatch } from '../../src/pool/worker/wire.js';

const text = fc.constantFrom('', '{}', '{"a":1}', 'x', 'é');
const call: fc.Arbitrary<StepCall> = fc.record({
  workflowId: text,
  executionId: text,
  nodeId: text,
  nodeName: text,
  attempt: fc.constantFrom(1, 2),
  run: fc.constantFrom(0, 1),
  artifactRoot: text,
  nodeConfig: text,
  dependencyOutputs: text,
  dependencyArtifacts: text,
  globalContext: fc.option(text),
  repeat: fc.option(fc.record({ iteration: fc.constantFrom(1, 2), previousOutput: text })),
  index: fc.constantFrom(-1, 0, 7),
  item: fc.option(text),
});
const step: fc.Arbitrary<StepRef> = fc.constantFrom('a', 'b').map((name) => ({
  kind: 'module',
  key: name,
  url: `file:///${name}.js`,
  exportName: name,
}));

it('gives a worker each job of a batch as it was, whatever came before it', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ step, call }), { minLength: 1, maxLength: 12 }), (all) => {
      const jobs = all.map((each, id): Job => ({ id, exclusive: false, ...each }));
      // A structured clone, as between threads.
      const batch = deserialize(
        serialize(
          encodeBatch(
            { id: 3, slot: 1 },
            jobs.map((job) => ({ job })),
          ),
        ),
      ) as WireBatch;
      const reader = new BatchReader(batch);
      expect(batch).toMatchObject({ id: 3, slot: 1, count: jobs.length });
      const steps: StepRef[] = [];
      for (const { step, call } of jobs) {
        if (!steps.includes(step)) steps.push(step);
        const { url, exportName } = step as StepRef & { kind: 'module' };
        expect(reader.next()).toEqual({ step: steps.indexOf(step), url, exportName, call });
      }
    }),
  );
});
