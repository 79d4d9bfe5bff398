import { answerParent } from '../../dist/bench/child.js';
import { markTrace } from '../../dist/bench/fsyncs.js';
import { benchGraph } from '../../dist/bench/workloads.js';

/** As the harness does: the same again and again for a second, but nothing larger than this. */
const WARM_NODES = 20_000;
const WARM_MS = 1000;

/** One peer and one graph in a process of their own: seconds, warm. */
answerParent(async ({ adapter, url, folder, marks, ...size }) => {
  const { default: peer } = await import(`./adapters/${adapter}.mjs`);
  const { executions, dependencies } = await benchGraph(size);
  const graph = { dependencies, generations: generationsOf(dependencies) };
  const refused = peer.refuses?.(graph);
  if (refused !== undefined) return { refused };
  let steps = 0;
  const step = () => {
    steps++;
    return {};
  };
  const session = await peer.open({ ...graph, step, folder, url });
  try {
    const warmUntilMs = performance.now() + WARM_MS;
    if (executions * dependencies.length <= WARM_NODES)
      do await session.run(executions);
      while (performance.now() < warmUntilMs);
    steps = 0;
    if (marks !== undefined) markTrace(marks, 'begin');
    const sinceMs = performance.now();
    await session.run(executions);
    const seconds = (performance.now() - sinceMs) / 1000;
    if (marks !== undefined) markTrace(marks, 'end');
    const nodes = executions * dependencies.length;
    // What is fast because it does less is not measured.
    if (steps !== nodes) throw new Error(`${steps} steps were run of ${nodes}`);
    return { seconds, nodes, executions };
  } finally {
    await session.close();
  }
});

/** Nodes by the longest path to them. */
function generationsOf(dependencies) {
  const level = [];
  const generations = [];
  for (const [node, before] of dependencies.entries()) {
    level[node] = before.reduce((most, each) => Math.max(most, level[each] + 1), 0);
    (generations[level[node]] ??= []).push(node);
  }
  return generations;
}
