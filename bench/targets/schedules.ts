/** A graph with known durations. */
export interface TimedGraph {
  readonly dependencies: readonly (readonly number[])[];
  readonly seconds: readonly number[];
}

/** What may start, in the order it should. */
type Queue = { push(node: number): void; pop(): number | undefined };

/** First in, first out: what is ready starts in the order of becoming so, and at one moment in the graph's. */
export function fifoMakespan(graph: TimedGraph, workers: number): number {
  const ready: number[] = [];
  let head = 0;
  return makespan(graph, workers, {
    push: (node) => ready.push(node),
    pop: () => (head < ready.length ? ready[head++] : undefined),
  });
}

/**
 * List scheduling by upward rank: the node with the longest path below it first. That is HEFT (Topcuoglu, Hariri, Wu
 * 2002) where workers are alike and sending costs nothing: its gaps to insert into do not arise.
 */
export function heftMakespan(graph: TimedGraph, workers: number): number {
  const rank = upwardRanks(graph);
  const ready: number[] = [];
  return makespan(graph, workers, {
    push: (node) => {
      let at = ready.length;
      while (at > 0 && rank[ready[at - 1]] >= rank[node]) at--;
      ready.splice(at, 0, node);
    },
    pop: () => ready.pop(),
  });
}

/** max(critical path, work / workers). */
export function lowerBound(graph: TimedGraph, workers: number): number {
  const work = graph.seconds.reduce((sum, each) => sum + each, 0);
  return upwardRanks(graph).reduce((most, each) => Math.max(most, each), work / workers);
}

/** Of each node, the longest path from its start to the end of everything. */
export function upwardRanks({ dependencies, seconds }: TimedGraph): Float64Array {
  const dependents = dependentsOf(dependencies);
  const left = dependents.map((nodes) => nodes.length);
  const below = new Float64Array(seconds.length);
  const rank = new Float64Array(seconds.length);
  const stack = [...left.keys()].filter((node) => left[node] === 0);
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    rank[node] = seconds[node] + below[node];
    for (const before of dependencies[node]) {
      below[before] = Math.max(below[before], rank[node]);
      if (--left[before] === 0) stack.push(before);
    }
  }
  return rank;
}

function dependentsOf(dependencies: TimedGraph['dependencies']): number[][] {
  const dependents = dependencies.map((): number[] => []);
  for (const [node, before] of dependencies.entries()) for (const each of before) dependents[each].push(node);
  return dependents;
}

/** Seconds that alike workers take when each takes the next of the queue as soon as it is free. */
function makespan({ dependencies, seconds }: TimedGraph, workers: number, ready: Queue): number {
  const dependents = dependentsOf(dependencies);
  const left = dependencies.map((before) => before.length);
  for (const [node, count] of left.entries()) if (count === 0) ready.push(node);
  const running: { node: number; end: number }[] = [];
  let now = 0;
  for (;;) {
    while (running.length < workers) {
      const node = ready.pop();
      if (node === undefined) break;
      running.push({ node, end: now + seconds[node] });
    }
    if (running.length === 0) return now;
    now = running.reduce((least, { end }) => Math.min(least, end), Infinity);
    // Everything that ends at this moment does so before anything starts.
    const ended = running.filter(({ end }) => end === now);
    for (const one of ended) running.splice(running.indexOf(one), 1);
    for (const { node } of ended)
      for (const next of dependents[node]) if (--left[next] === 0) ready.push(next);
  }
}
