import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const AT_ONCE = 100;

/** It has trees of jobs and no graphs: a job for each node, added when its dependencies are known to have completed. */
export default {
  async open({ dependencies, step, url }) {
    const connection = new Redis(url, { maxRetriesPerRequest: null });
    const queue = new Queue('bench', { connection });
    const worker = new Worker('bench', async () => step(), { connection, concurrency: AT_ONCE });
    const keep = { removeOnComplete: true };
    const dependents = dependencies.map(() => []);
    for (const [node, before] of dependencies.entries())
      for (const each of before) dependents[each].push(node);
    const running = new Map();
    let executions = 0;
    let ready = [];
    let failure;
    // What becomes ready in one go is added in one go.
    const add = (job) => {
      if (ready.push(job) > 1) return;
      setImmediate(() => {
        const jobs = ready;
        ready = [];
        queue.addBulk(jobs).catch((error) => failure?.(error));
      });
    };
    const jobOf = (execution, node) => ({ name: 'node', data: { execution, node }, opts: keep });
    worker.on('completed', ({ data: { execution, node } }) => {
      const own = running.get(execution);
      for (const each of dependents[node]) if (--own.left[each] === 0) add(jobOf(execution, each));
      if (--own.open === 0) {
        running.delete(execution);
        own.resolve();
      }
    });
    worker.on('error', (error) => failure?.(error));
    const once = () =>
      new Promise((resolve, reject) => {
        failure = reject;
        const execution = executions++;
        const left = dependencies.map((before) => before.length);
        running.set(execution, { left, open: left.length, resolve });
        for (const [node, count] of left.entries()) if (count === 0) add(jobOf(execution, node));
      });
    await worker.waitUntilReady();
    return {
      run: (count) => Promise.all(Array.from({ length: count }, once)),
      async close() {
        await worker.close();
        await queue.close();
        connection.disconnect();
      },
    };
  },
};
