/** What a node waits for, from the document that says it. */
export function waitText(wait: unknown): string {
  const { kind, signal, until } = wait as { kind?: unknown; signal?: unknown; until?: unknown };
  const end = typeof until === 'string' ? ` until ${until}` : '';
  if (kind === 'review') return `waits for a review${end}`;
  return kind === 'signal' ? `waits for the signal ${JSON.stringify(signal)}${end}` : `waits${end}`;
}
