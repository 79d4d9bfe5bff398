import { DEFINITIONS, under } from '../store/keys.js';
import type { Kv, KvOp } from '../store/kv.js';
import { openStore } from '../store/open.js';
import { definitionsOf } from '../supervisor/migrations.js';

const PAGE = 200;

/**
 * Removes definitions that no execution has, or had before it was migrated, and no schedule starts. The store must be
 * nobody else's: whoever has stored a definition takes it for stored from then on. When a record cannot be read, what
 * that one needs is unknown, and all stay. O(executions + definitions)
 * @returns how many went
 */
export async function removeUnusedDefinitions(kv: Kv): Promise<number> {
  const store = await openStore(kv);
  const used = new Set<string>();
  const { rows, damaged } = await store.schedules();
  if (damaged.length > 0) return 0;
  for (const { definitionHash } of rows) used.add(definitionHash);
  let after: string | undefined;
  do {
    const page = await store.list({ order: 'oldest', limit: PAGE, after });
    if ((page.damaged ?? []).length > 0) return 0;
    for (const record of page.records) for (const hash of definitionsOf(record)) used.add(hash);
    after = page.next;
  } while (after !== undefined);
  const unused: KvOp[] = [];
  for await (const key of kv.keys(under(DEFINITIONS)))
    if (!used.has(key.slice(DEFINITIONS.length))) unused.push({ op: 'del', key });
  if (unused.length > 0) await kv.commit(unused);
  return unused.length;
}
