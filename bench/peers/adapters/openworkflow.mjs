import { OpenWorkflow } from 'openworkflow';
import { BackendSqlite } from 'openworkflow/sqlite';
import { join } from 'node:path';

/** Its own handles look once a second. */
const LOOK_EVERY_MS = 2;
const AT_ONCE = 100;
const STEP_LIMIT = 1000;

export default {
  refuses: ({ dependencies }) =>
    dependencies.length > STEP_LIMIT ? `a workflow has at most ${STEP_LIMIT} steps` : undefined,
  async open({ generations, step, folder }) {
    const backend = BackendSqlite.connect(join(folder, 'openworkflow.db'));
    const client = new OpenWorkflow({ backend });
    const workflow = client.defineWorkflow({ name: 'bench' }, async ({ step: steps }) => {
      // Names of steps must come in the same order whenever it is replayed: generations one after the other.
      for (const nodes of generations)
        await Promise.all(nodes.map((node) => steps.run({ name: `n${node}` }, async () => step())));
    });
    const worker = client.newWorker({ concurrency: AT_ONCE });
    await worker.start();
    const ended = async (workflowRunId) => {
      for (;;) {
        const { status, error } = await backend.getWorkflowRun({ workflowRunId });
        if (status === 'completed' || status === 'succeeded') return;
        if (status === 'failed' || status === 'canceled') throw new Error(JSON.stringify(error ?? status));
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      }
    };
    return {
      async run(executions) {
        const handles = await Promise.all(Array.from({ length: executions }, () => workflow.run({})));
        for (const { workflowRun } of handles) await ended(workflowRun.id);
      },
      async close() {
        await worker.stop();
        await backend.stop();
      },
    };
  },
};
