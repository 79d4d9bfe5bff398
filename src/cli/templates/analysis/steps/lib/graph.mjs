// Cycles of a directed graph.

/**
 * The strongly connected components with more than one node, and nodes with an edge to themselves, each sorted.
 * Tarjan, Depth-first search and linear graph algorithms (1972), without recursion: import chains can be long.
 * `edges` maps a node to the nodes it points to.
 */
export function cycles(edges) {
  const order = new Map();
  const low = new Map();
  const stack = [];
  const onStack = new Set();
  const found = [];
  for (const root of edges.keys()) {
    if (!order.has(root)) visit(root);
  }
  return found;

  function enter(node) {
    order.set(node, order.size);
    low.set(node, order.get(node));
    stack.push(node);
    onStack.add(node);
    return { node, next: (edges.get(node) ?? [])[Symbol.iterator]() };
  }

  function visit(root) {
    const path = [enter(root)];
    while (path.length > 0) {
      const { node, next } = path.at(-1);
      const { done, value: target } = next.next();
      if (done) {
        path.pop();
        const parent = path.at(-1)?.node;
        if (parent !== undefined) low.set(parent, Math.min(low.get(parent), low.get(node)));
        if (low.get(node) === order.get(node)) leave(node);
      } else if (!order.has(target)) path.push(enter(target));
      else if (onStack.has(target)) low.set(node, Math.min(low.get(node), order.get(target)));
    }
  }

  function leave(node) {
    const component = [];
    let member;
    do {
      member = stack.pop();
      onStack.delete(member);
      component.push(member);
    } while (member !== node);
    const toItself = [...(edges.get(node) ?? [])].includes(node);
    if (component.length > 1 || toItself) found.push(component.sort());
  }
}
