/** What a node waits for, from the document that says it. */
export function waitText(wait: unknown): string {
  const { kind, signal, until, execution_id } = wait as Record<string, unknown>;
  if (kind === 'child') return `runs as ${String(execution_id)}`;
  const end = typeof until === 'string' ? ` until ${until}` : '';
  if (kind === 'review') return `waits for a review${end}`;
  return kind === 'signal' ? `waits for the signal ${JSON.stringify(signal)}${end}` : `waits${end}`;
}

/** What a ready node stands in line for, from the document that says it. */
export function queueText(wish: unknown): string {
  const { queue, slots } = wish as { queue?: unknown; slots?: unknown };
  return `waits for queue ${String(queue)}${slots === 1 ? '' : ` (${String(slots)} slots)`}`;
}
