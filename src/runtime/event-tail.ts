import { setImmediate } from 'node:timers/promises';
import type { EndedIteration } from '../base/model.js';
import { LEAF } from '../engine/columns.js';
import { EventDeriver, type EventSource } from '../observe/event-deriver.js';
import type { EventPosition } from '../observe/event-id.js';
import type { ExecutionEvent } from '../observe/events.js';
import {
  CHECKPOINT_CHUNK,
  type Checkpoint,
  type ExecutionStore,
  type JournalRecord,
  type StoredExecution,
} from '../store/types.js';
import { growingPlan } from '../graph/index.js';
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
  private readonly deriver: EventDeriver;
  /** Sequence of the next journal record to read. */
  private next: number;
  /** true once the records to be told have begun. */
  private begun: boolean;

  constructor(
    private readonly store: ExecutionStore,
    definitions: Definitions,
    stored: StoredExecution,
    private readonly start: TailStart = {},
  ) {
    const { record, spec, globalContext, checkpoint } = stored;
    const source = eventSource(definitions.plain(record, spec), record, globalContext);
    // What came before a checkpoint need not be read to go on after it.
    const passed = checkpoint !== null && checkpoint.nextSequence <= (start.after?.sequence ?? 0);
    this.executionId = record.executionId;
    this.deriver = passed ? deriverAt(checkpoint, source) : new EventDeriver(source);
    this.next = passed ? checkpoint.nextSequence : 0;
    this.begun = start.after === undefined && start.sinceMs === undefined;
  }

  /** The place this tail has reached: a new one that starts after it goes on from here. */
  get position(): EventPosition {
    return { sequence: this.next - 1, index: Infinity };
  }

  /** The events stored since the last read. @throws RECORD_CORRUPT */
  async *read(): AsyncGenerator<ExecutionEvent> {
    let entries = 0;
    for await (const record of this.store.journal(this.executionId, this.next)) {
      this.next = record.sequence + 1;
      yield* this.told(record);
      if ((entries += record.entries.length) < ENTRIES_AT_ONCE) continue;
      // Reading does not wait for anything by itself: others have their turn in between.
      entries = 0;
      await setImmediate();
    }
  }

  private told(record: JournalRecord): readonly ExecutionEvent[] {
    const { sequence, entries } = record;
    const { after, sinceMs = 0 } = this.start;
    if (this.begun) return this.deriver.derive(sequence, entries);
    if (after === undefined) this.begun = entries.some(({ atMs }) => atMs >= sinceMs);
    else if (sequence === after.sequence)
      return this.deriver.derive(sequence, entries).slice(after.index + 1);
    else this.begun = sequence > after.sequence;
    if (this.begun) return this.deriver.derive(sequence, entries);
    this.deriver.skip(entries);
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
