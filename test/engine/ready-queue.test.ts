import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PriorityQueue } from '../../src/engine/ready-queue.js';

it('gives the highest rank first, equals in the order in which they came, items as their stage', () => {
  const ranks = Float64Array.of(1, 3, 2, 3, 0, 1, 2, 3);
  // Nodes from 8 on are items: of the stages 1, 2, 3, 1, 2, 3 …
  const stageOf = (node: number): number => (node < 8 ? node : 1 + ((node - 8) % 3));
  const command = fc.oneof(fc.nat(40), fc.constant('pop' as const));
  fc.assert(
    fc.property(fc.array(command, { maxLength: 100 }), (commands) => {
      const queue = new PriorityQueue(ranks, stageOf);
      let model: { node: number; came: number }[] = [];
      commands.forEach((what, came) => {
        if (what !== 'pop') {
          // A node stands in line once only.
          if (model.some(({ node }) => node === what)) return;
          queue.push(what);
          model.push({ node: what, came });
        } else {
          const rank = (node: number): number => ranks[stageOf(node)];
          model.sort((a, b) => rank(b.node) - rank(a.node) || a.came - b.came);
          const first = model[0]?.node ?? -1;
          expect(queue.peek()).toBe(first);
          expect(queue.pop()).toBe(first);
          model = model.slice(1);
        }
        expect(queue.size).toBe(model.length);
      });
    }),
  );
});
