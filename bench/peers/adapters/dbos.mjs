import { DBOS } from '@dbos-inc/dbos-sdk';

export default {
  async open({ generations, step, url }) {
    DBOS.setConfig({ name: 'bench', systemDatabaseUrl: url, logLevel: 'error' });
    const workflow = DBOS.registerWorkflow(
      async () => {
        // Steps must begin in the same order whenever it is replayed: generations one after the other.
        for (const nodes of generations)
          await Promise.all(nodes.map((node) => DBOS.runStep(async () => step(), { name: `n${node}` })));
      },
      { name: 'bench' },
    );
    await DBOS.launch();
    const once = async () => (await DBOS.startWorkflow(workflow)()).getResult();
    return {
      run: (executions) => Promise.all(Array.from({ length: executions }, once)),
      close: () => DBOS.shutdown(),
    };
  },
};
