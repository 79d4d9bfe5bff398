import { unseal, seal } from './envelope.js';
import { executionPrefix, nodeOfRow, rowOfNode, under } from './keys.js';
import type { Kv, KvOp } from './kv.js';

/** Kinds of rows whose keys begin with a node: artifacts, children, logs, outputs. */
const KINDS = ['a', 'h', 'l', 'o'] as const;

/**
 * Ops that give the rows of nodes the numbers that these have by another plan; of nodes that it does not have they go.
 * Reads what moves.
 * @throws RECORD_CORRUPT
 */
export async function renumberingOps(
  kv: Kv,
  executionId: string,
  numberOf: (node: number) => number | undefined,
): Promise<KvOp[]> {
  const puts = new Map<string, Uint8Array>();
  const gone: string[] = [];
  for (const kind of KINDS) {
    const prefix = `${executionPrefix(executionId)}${kind}/`;
    for await (const { key, value } of kv.scan(under(prefix))) {
      const { node, rest } = nodeOfRow(key, prefix);
      const next = numberOf(node);
      if (next === node) continue;
      gone.push(key);
      if (next === undefined) continue;
      const moved = rowOfNode(prefix, next, rest);
      puts.set(moved, seal(moved, unseal(key, value), value[0]));
    }
  }
  return [
    ...gone.filter((key) => !puts.has(key)).map((key): KvOp => ({ op: 'del', key })),
    ...[...puts].map(([key, value]): KvOp => ({ op: 'put', key, value })),
  ];
}
