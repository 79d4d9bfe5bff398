import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defineWorkflow, type Isolation } from '../../src/runtime/index.js';
import { tempDirs } from '../support/temp-dir.js';
import { runtimes } from './support/runtimes.js';

const open = runtimes();
const tempDir = tempDirs('maestro-wishes');
/** Throws once, or always: with what its config says. */
const STEP = `export function step({ attempt, nodeConfig: { always, ...wishes } }) {
  if (attempt > 1 && !always) return attempt;
  throw Object.assign(new Error('not now'), { details: wishes });
}
`;

describe.each<Isolation>(['inline', 'thread', 'process'])(
  'an error of a step with isolation %s',
  (isolation) => {
    const run = async (config: Record<string, unknown>) => {
      const baseDir = join(tempDir(), 'w');
      mkdirSync(baseDir);
      writeFileSync(join(baseDir, 'step.mjs'), STEP);
      // Without what the error says, the test would wait for an hour.
      const retry = { maxAttempts: 3, delaySeconds: 3600 };
      const workflow = defineWorkflow({ id: 'w' })
        .node('a', { uses: './step.mjs#step', isolation, config, retry })
        .build({ baseDir });
      const runtime = await open();
      const { id, result } = await runtime.start(workflow);
      await result;
      return (await runtime.get(id))!.node_states.a;
    };

    it('may choose when it is tried again', async () => {
      expect(await run({ retry_after_seconds: 0.01 })).toMatchObject({
        status: 'completed',
        attempt_count: 2,
        output: 2,
      });
    });

    it('may end the retries', async () => {
      expect(await run({ non_retryable: true, always: true })).toMatchObject({
        status: 'failed',
        attempt_count: 1,
      });
    });
  },
);
