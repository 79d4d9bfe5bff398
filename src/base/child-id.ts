import { createHash } from 'node:crypto';

const PLAIN = /^[A-Za-z0-9_.-]{1,24}$/;
const SLUG_CHARS = 15;
const HASH_CHARS = 8;

/**
 * The id of the execution that a subworkflow node starts: the same whenever it is asked, so that it is started once.
 * @param key which attempt of the node, in which run: see `childKey`
 */
export function childIdOf(parentId: string, nodeId: string, key: string): string {
  return `${parentId}+${slugOf(nodeId)}.${key}`;
}

/** Names one attempt of one run of a node. */
export function childKey(run: number, attempt: number): string {
  return `${run}.${attempt}`;
}

function slugOf(nodeId: string): string {
  if (PLAIN.test(nodeId)) return nodeId;
  const readable = nodeId.replace(/[^A-Za-z0-9_.-]/g, '-').slice(0, SLUG_CHARS);
  const hash = createHash('sha256').update(nodeId).digest('hex').slice(0, HASH_CHARS);
  return `${readable}-${hash}`;
}
