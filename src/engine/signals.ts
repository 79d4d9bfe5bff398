import { invariant } from '../base/assert.js';
import { RareMap } from '../base/rare-map.js';
import { RareSet } from '../base/rare-set.js';
import type { SignalsRow } from './entries.js';

/** Signals that came and were not taken yet, first come first served by name; and which came before. */
export class Signals {
  private readonly open = new RareMap<string, string[]>();
  private readonly ids = new RareSet<string>();

  /** How many are kept: those not taken, and ids that must be recognised. */
  get size(): number {
    let size = this.ids.size;
    for (const payloads of this.open.values()) size += payloads.length;
    return size;
  }

  /** Whether a signal with this id came before. */
  knows(id: string | null): boolean {
    return id !== null && this.ids.has(id);
  }

  add(name: string, payload: string, id: string | null): void {
    const payloads = this.open.get(name);
    if (payloads === undefined) this.open.set(name, [payload]);
    else payloads.push(payload);
    if (id !== null) this.ids.add(id);
  }

  /** The payload of the first one of a name, left in place. */
  peek(name: string): string | undefined {
    return this.open.get(name)?.[0];
  }

  take(name: string): void {
    const payloads = this.open.get(name);
    invariant(payloads !== undefined, `no signal ${JSON.stringify(name)} was there to be taken`);
    payloads.shift();
    if (payloads.length === 0) this.open.delete(name);
  }

  /** undefined when there is nothing to keep. */
  get row(): SignalsRow | undefined {
    if (this.open.size === 0 && this.ids.size === 0) return undefined;
    const open = [...this.open].flatMap(([name, payloads]) => payloads.map((payload) => ({ name, payload })));
    return { open, ids: [...this.ids] };
  }

  restore(row: SignalsRow | undefined): void {
    this.open.clear();
    this.ids.clear();
    for (const { name, payload } of row?.open ?? []) this.add(name, payload, null);
    for (const id of row?.ids ?? []) this.ids.add(id);
  }
}
