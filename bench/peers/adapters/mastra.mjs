import { Mastra } from '@mastra/core';
import { createStep, createWorkflow } from '@mastra/core/workflows';
import { LibSQLStore } from '@mastra/libsql';
import { join } from 'node:path';
import { z } from 'zod';

export default {
  async open({ generations, step, folder }) {
    const schema = z.any();
    const make = (node) =>
      createStep({
        id: `n${node}`,
        inputSchema: schema,
        outputSchema: schema,
        execute: async () => step(),
      });
    let chain = createWorkflow({ id: 'bench', inputSchema: schema, outputSchema: schema });
    // It has no graphs: generations one after the other.
    for (const nodes of generations)
      chain = nodes.length === 1 ? chain.then(make(nodes[0])) : chain.parallel(nodes.map(make));
    const storage = new LibSQLStore({ id: 'bench', url: `file:${join(folder, 'mastra.db')}` });
    const mastra = new Mastra({ workflows: { bench: chain.commit() }, storage, logger: false });
    const workflow = mastra.getWorkflow('bench');
    const once = async () => {
      const run = await workflow.createRun();
      const { status, error } = await run.start({ inputData: {} });
      if (status !== 'success') throw error ?? new Error(`the run is ${status}`);
    };
    return { run: (executions) => Promise.all(Array.from({ length: executions }, once)), close() {} };
  },
};
