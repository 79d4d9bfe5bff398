import { Annotation, END, START, StateGraph } from '@langchain/langgraph';
import { SqliteSaver } from '@langchain/langgraph-checkpoint-sqlite';
import { join } from 'node:path';
import { openSqlite } from '../sqlite.mjs';

const State = Annotation.Root({ completed: Annotation({ reducer: (a, b) => a + b, default: () => 0 }) });

export default {
  async open({ dependencies, generations, step, folder }) {
    const db = await openSqlite(join(folder, 'langgraph.db'));
    // better-sqlite3, its usual library, would take NORMAL, which does not force commits to disk.
    db.pragma('synchronous=FULL');
    const graph = new StateGraph(State);
    for (const node of dependencies.keys())
      graph.addNode(`n${node}`, () => {
        step();
        return { completed: 1 };
      });
    const isLast = dependencies.map(() => true);
    for (const [node, before] of dependencies.entries()) {
      for (const each of before) isLast[each] = false;
      const from = before.map((each) => `n${each}`);
      if (from.length === 0) graph.addEdge(START, `n${node}`);
      else graph.addEdge(from.length === 1 ? from[0] : from, `n${node}`);
    }
    for (const [node, last] of isLast.entries()) if (last) graph.addEdge(`n${node}`, END);
    const app = graph.compile({ checkpointer: new SqliteSaver(db) });
    let threads = 0;
    const once = () =>
      app.invoke(
        { completed: 0 },
        {
          configurable: { thread_id: String(threads++) },
          recursionLimit: generations.length + 10,
          durability: 'sync',
        },
      );
    return {
      run: (executions) => Promise.all(Array.from({ length: executions }, once)),
      close: () => db.close(),
    };
  },
};
