import type { NodeSpec } from '../../src/spec/index.js';

/** A node that runs a command, with whatever else a test wants of it. */
export const step = (id: string, more: Partial<NodeSpec> = {}): NodeSpec => ({
  id,
  name: id,
  type: 'custom',
  run: 'true',
  ...more,
});
