import { join } from 'node:path';

/** Most ids are folder names already. */
const PLAIN = /^[A-Za-z0-9_-]+$/;

/** Where an execution's nodes have their folders. */
export function executionFolder(root: string, workflowId: string, executionId: string): string {
  return join(root, workflowId, executionId);
}

/** A node id as a folder name: anything but letters, digits, `.`, `_`, `-` is percent-encoded, so no id escapes. */
export function safeFolder(nodeId: string): string {
  if (PLAIN.test(nodeId)) return nodeId;
  const encoded = nodeId.replace(/[^A-Za-z0-9._-]/gu, percent);
  return /^\.+$/.test(encoded) ? encoded.replaceAll('.', '%2E') : encoded;
}

function percent(char: string): string {
  return Buffer.from(char, 'utf8').toString('hex').toUpperCase().replace(/../g, '%$&');
}
