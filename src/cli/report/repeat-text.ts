/** Where a node is in its loop, from the document that says it. */
export function repeatText(repeat: unknown): string {
  const { iteration, max, next_at } = repeat as { iteration?: number; max?: number; next_at?: string };
  const next = next_at === undefined ? '' : `, waits until ${next_at}`;
  return `iteration ${iteration} of at most ${max}${next}`;
}
