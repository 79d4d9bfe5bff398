import { PGraph } from 'p-graph';

export default {
  async open({ dependencies, step }) {
    const nodes = new Map(dependencies.map((_, node) => [`n${node}`, { run: step }]));
    const edges = dependencies.flatMap((before, node) => before.map((each) => [`n${each}`, `n${node}`]));
    const once = () => new PGraph(nodes, edges).run();
    return { run: (executions) => Promise.all(Array.from({ length: executions }, once)), close() {} };
  },
};
