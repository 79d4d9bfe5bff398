import { childIdOf } from '../base/child-id.js';
import type { FurtherRow } from '../store/further-rows.js';
import { CHILD_ROWS } from '../store/keys.js';
import type { ExecutionRecord, ExecutionStore } from '../store/types.js';

/** Who started an execution, as its options tell. */
interface Parent {
  readonly execution_id: string;
  readonly node_id: string;
  readonly key: string;
}

/** An execution, and after it what its nodes have started, and theirs. */
export async function* withChildren(store: ExecutionStore, executionId: string): AsyncGenerator<string> {
  yield executionId;
  for (const child of await store.children(executionId)) yield* withChildren(store, child);
}

/**
 * New ids for executions of an import whose own are taken. Those of a family are renamed together: the id of a child follows
 * from that of its parent, which finds it by that.
 */
export class Families {
  private readonly parents = new Map<string, Parent | undefined>();

  add({ executionId, options }: ExecutionRecord): void {
    this.parents.set(executionId, (options as { parent?: Parent }).parent);
  }

  has(executionId: string): boolean {
    return this.parents.has(executionId);
  }

  /** @param freeId a new id for one that nobody in the import has started */
  async rename(
    taken: Iterable<string>,
    freeId: (executionId: string) => Promise<string>,
  ): Promise<Map<string, string>> {
    const renamed = new Map<string, string>();
    for (const id of taken) {
      const eldest = this.eldest(id);
      if (!renamed.has(eldest)) renamed.set(eldest, await freeId(eldest));
    }
    for (const id of this.parents.keys()) this.follow(id, renamed);
    return renamed;
  }

  private eldest(executionId: string): string {
    for (let id = executionId; ;) {
      const parent = this.parents.get(id)?.execution_id;
      if (parent === undefined || !this.has(parent)) return id;
      id = parent;
    }
  }

  private follow(executionId: string, renamed: Map<string, string>): string {
    const known = renamed.get(executionId);
    const parent = this.parents.get(executionId);
    if (known !== undefined || parent === undefined || !this.has(parent.execution_id))
      return known ?? executionId;
    const newParent = this.follow(parent.execution_id, renamed);
    if (newParent === parent.execution_id) return executionId;
    const id = childIdOf(newParent, parent.node_id, parent.key);
    renamed.set(executionId, id);
    return id;
  }
}

/** A record under its new id, with the new id of its parent. */
export function renamedRecord(
  record: ExecutionRecord,
  renamed: ReadonlyMap<string, string>,
): ExecutionRecord {
  const { parent, ...options } = record.options as { parent?: Parent };
  const executionId = renamed.get(record.executionId) ?? record.executionId;
  if (parent === undefined) return { ...record, executionId };
  const execution_id = renamed.get(parent.execution_id) ?? parent.execution_id;
  return { ...record, executionId, options: { ...options, parent: { ...parent, execution_id } } };
}

/** A row that names a child, with its new id; any other row as it is. */
export function renamedRow(line: FurtherRow, renamed: ReadonlyMap<string, string>): FurtherRow {
  if (!line.row.startsWith(CHILD_ROWS)) return line;
  const id = renamed.get(Buffer.from(line.payload).toString());
  return id === undefined ? line : { ...line, payload: Buffer.from(id) };
}
