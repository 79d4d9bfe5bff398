/** The execution that a node has started, from the document that says it. */
export function childText(child: unknown): string {
  const { execution_id, status } = child as { execution_id?: string; status?: string };
  return `ran as ${execution_id} (${status})`;
}
