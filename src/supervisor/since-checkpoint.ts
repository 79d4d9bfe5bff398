import type { Entry } from '../engine/entries.js';
import { CHECKPOINT_CHUNK } from '../store/types.js';

/** What the journal of an execution holds beyond its newest checkpoint: the next one has to tell it. */
export class SinceCheckpoint {
  /** How many entries. */
  entries = 0;
  /** The chunks whose nodes they changed. */
  readonly chunks = new Set<number>();

  note(entries: readonly Entry[]): void {
    // Entries that follow each other are mostly of one chunk.
    let last = -1;
    for (const { node } of entries) {
      if (node < 0) continue;
      const chunk = Math.floor(node / CHECKPOINT_CHUNK);
      if (chunk !== last) this.chunks.add(chunk);
      last = chunk;
    }
    this.entries += entries.length;
  }

  /** All nodes have other numbers than before. */
  noteAll(nodeCount: number): void {
    this.chunks.clear();
    for (let node = 0; node < nodeCount; node += CHECKPOINT_CHUNK) this.chunks.add(node / CHECKPOINT_CHUNK);
  }

  clear(): void {
    this.chunks.clear();
    this.entries = 0;
  }
}
