import { unseal } from './envelope.js';
import type { FurtherRow } from './further-rows.js';
import * as keys from './keys.js';
import type { Kv } from './kv.js';

/** The row of a parent that says that an attempt of a node has started an execution. `key` names the attempt. */
export function childRow(node: number, key: string, childId: string): FurtherRow {
  return { row: keys.childRowOf(node, key), payload: Buffer.from(childId) };
}

/** Ids of executions that nodes of this one have started, by node and attempt. @throws RECORD_CORRUPT */
export async function childrenOf(kv: Kv, parentId: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { key, value } of kv.scan(keys.under(keys.childrenPrefix(parentId))))
    ids.push(Buffer.from(unseal(key, value)).toString());
  return ids;
}
