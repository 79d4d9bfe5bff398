/** How far a group is, from the document that says it. */
export function groupText(group: unknown): string {
  const { members, restarts } = group as { members?: Record<string, number>; restarts?: number };
  const { total = 0, completed = 0 } = members ?? {};
  const again = restarts === undefined ? '' : `, restarted ${restarts === 1 ? 'once' : `${restarts} times`}`;
  return `${completed} of ${total} members completed${again}`;
}

/** How the items of a map are in one stage: by status, with those that failed. */
export function mapText(map: unknown): string {
  const {
    items,
    statuses,
    failed = [],
  } = map as {
    items: number;
    statuses: Record<string, number>;
    failed?: { node_id: string; error: string }[];
  };
  const counts = Object.entries(statuses).map(([status, count]) => `${status} ${count}`);
  const [first] = failed;
  const failures = first === undefined ? '' : `; ${first.node_id}: ${first.error}`;
  return `${items} ${items === 1 ? 'item' : 'items'}${counts.length > 0 ? `: ${counts.join(', ')}` : ''}${failures}`;
}
