import { setImmediate } from 'node:timers/promises';
import type { EndedIteration } from '../base/model.js';
import { LEAF } from '../engine/columns.js';
import { EventDeriver, type EventSource } from '../observe/event-deriver.js';
import type { EventPosition } from '../observe/event-id.js';
import type { ExecutionEvent } from '../observe/events.js';
import {
  CHECKPOINT_CHUNK,
  type Checkpoint,
  type ExecutionRecord,
  type ExecutionStore,
  type JournalRecord,
  type StoredExecution,
} from '../store/types.js';
import { growingPlan } from '../graph/index.js';
import { definitionAt, definitionsOf } from '../supervisor/migrations.js';
import { eventSource } from '../supervisor/restore.js';
import type { Definitions } from './definitions.js';

/** Journal entries read in one turn of the event loop, about. */
const ENTRIES_AT_ONCE = 500;

/** Which events a tail tells; by default all. */
export interface TailStart {
  /** Those that come after this position. */
  readonly after?: EventPosition;
  /** Those from the first journal record on in which something happened at this moment or later, in epoch ms. */
  readonly sinceMs?: number;
}

/**
 * One reader's place in the history of an execution. Every read goes on where the last one ended, and only what is
 * new is read and derived. The store is the only buffer, so a slow reader costs no memory.
 */
export class EventTail {
  readonly executionId: string;
  private readonly record: ExecutionRecord;
  private readonly globalContext: string;
  /** Where it begins; null: with the first record, or it has begun. */
  private passed: Checkpoint | null;
  /** null: nothing has been read. */
  private deriver: EventDeriver | null = null;
  /** Sequence of the next journal record to read. */
  private next: number;
  /** true once the records to be told have begun. */
  private begun: boolean;

  constructor(
    private readonly store: ExecutionStore,
    private readonly definitions: Definitions,
    { record, globalContext, checkpoint }: StoredExecution,
    private readonly start: TailStart = {},
  ) {
    this.executionId = record.executionId;
    this.record = record;
    this.globalContext = globalContext;
    // What came before a checkpoint need not be read to go on after it.
    const isPassed = checkpoint !== null && checkpoint.nextSequence <= (start.after?.sequence ?? 0);
    this.passed = isPassed ? checkpoint : null;
    this.next = this.passed?.nextSequence ?? 0;
    this.begun = start.after === undefined && start.sinceMs === undefined;
  }

  private async begin(): Promise<EventDeriver> {
    const { record, passed } = this;
    // It may be large, and readers stay for long.
    this.passed = null;
    if (passed !== null) return deriverAt(passed, await this.source(record.definitionHash));
    return new EventDeriver(await this.source(definitionsOf(record)[0]));
  }

  private async source(definitionHash: string): Promise<EventSource> {
    const { record, globalContext } = this;
    const spec = await definitionAt(this.store, this.executionId, definitionHash);
    return eventSource(this.definitions.plain({ ...record, definitionHash }, spec), record, globalContext);
  }

  /** The place this tail has reached: a new one that starts after it goes on from here. */
  get position(): EventPosition {
    return { sequence: this.next - 1, index: Infinity };
  }

  /** The events stored since the last read. @throws RECORD_CORRUPT */
  async *read(): AsyncGenerator<ExecutionEvent> {
    const deriver = (this.deriver ??= await this.begin());
    let entries = 0;
    for await (const record of this.store.journal(this.executionId, this.next)) {
      for (const { event } of record.entries)
        if (event.type === 'migrated') deriver.prepare(event.to, await this.source(event.to));
      this.next = record.sequence + 1;
      for (const event of this.told(deriver, record)) yield event;
      if ((entries += record.entries.length) < ENTRIES_AT_ONCE) continue;
      // Reading does not wait for anything by itself: others have their turn in between.
      entries = 0;
      await setImmediate();
    }
  }

  private told(deriver: EventDeriver, record: JournalRecord): readonly ExecutionEvent[] {
    const { sequence, entries } = record;
    const { after, sinceMs = 0 } = this.start;
    if (this.begun) return deriver.derive(sequence, entries);
    if (after === undefined) this.begun = entries.some(({ atMs }) => atMs >= sinceMs);
    else if (sequence === after.sequence) return deriver.derive(sequence, entries).slice(after.index + 1);
    else this.begun = sequence > after.sequence;
    if (this.begun) return deriver.derive(sequence, entries);
    deriver.skip(entries);
    return [];
  }
}

function deriverAt(checkpoint: Checkpoint, source: EventSource): EventDeriver {
  const { plan } = source;
  growingPlan(plan)?.restore(checkpoint.workflow.maps ?? []);
  const attempts = new Int32Array(plan.nodeCount);
  const completed = new Uint8Array(plan.nodeCount);
  const iterations = new Map<number, EndedIteration>();
  for (const [chunk, rows] of checkpoint.chunks) {
    rows.forEach(({ attempt, leaf, iteration }, offset) => {
      const node = chunk * CHECKPOINT_CHUNK + offset;
      attempts[node] = attempt;
      completed[node] = leaf === LEAF.completed ? 1 : 0;
      if (iteration !== null) iterations.set(node, iteration);
    });
  }
  return new EventDeriver(source, attempts, completed, iterations);
}
