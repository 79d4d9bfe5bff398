/** How far a group is, from the document that says it. */
export function groupText(group: unknown): string {
  const { members, restarts } = group as { members?: Record<string, number>; restarts?: number };
  const { total = 0, completed = 0 } = members ?? {};
  const again = restarts === undefined ? '' : `, restarted ${restarts === 1 ? 'once' : `${restarts} times`}`;
  return `${completed} of ${total} members completed${again}`;
}
