import type { Clock } from '../base/clock.js';
import { newId } from '../base/ids.js';
import type { Random } from '../base/random.js';
import type { Processes } from '../store/process-identity.js';
import type { ExecutionStore, OwnerRecord } from '../store/types.js';

/** How long an owner that was taken for dead is kept from committing: no process is frozen for longer. */
const FENCE_KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/** Who runs what: this runtime's own lease, and whether those of others still hold. */
export class Ownership {
  readonly self: OwnerRecord;
  private announced: Promise<void> | null = null;

  constructor(
    private readonly store: ExecutionStore,
    private readonly clock: Clock,
    random: Random,
    private readonly processes: Processes,
    more: Pick<OwnerRecord, 'queues'> = {},
  ) {
    const ownerId = newId(clock, random);
    this.self = { ownerId, ...processes.current(), createdAtMs: clock.nowMs(), ...more };
  }

  /** Makes the lease durable, once, before the first execution names it. */
  announce(): Promise<void> {
    return (this.announced ??= this.register());
  }

  /** This runtime runs nothing any more, though its process lives. */
  retire(): void {
    this.processes.retired.add(this.self.ownerId);
  }

  /** Gives the lease up. Nothing must name it any more. */
  async resign(): Promise<void> {
    this.retire();
    if (this.announced === null) return;
    await this.announced;
    await this.store.commit([this.store.deleteOwner(this.self.ownerId)]);
  }

  /** Owners other than this one that are alive, by id. A lease without a record is nobody's. */
  async livingOthers(): Promise<Map<string, OwnerRecord>> {
    const living = new Map<string, OwnerRecord>();
    for (const owner of await this.store.owners()) {
      if (owner.ownerId === this.self.ownerId || this.processes.retired.has(owner.ownerId)) continue;
      if (this.processes.isAlive(owner)) living.set(owner.ownerId, owner);
    }
    return living;
  }

  /** The living process that runs an execution, if it is another one. */
  async holder(ownerId: string | null): Promise<OwnerRecord | undefined> {
    if (ownerId === null || ownerId === this.self.ownerId) return undefined;
    return (await this.livingOthers()).get(ownerId);
  }

  /** Leases of the dead go in the same commit: a lease without a record is as dead, and they would pile up. */
  private async register(): Promise<void> {
    const living = await this.livingOthers();
    const dead = (await this.store.owners()).filter(({ ownerId }) => !living.has(ownerId));
    const ops = dead.map(({ ownerId }) => this.store.deleteOwner(ownerId));
    const old = await this.store.deleteFences(this.clock.nowMs() - FENCE_KEPT_MS);
    await this.store.commit([...ops, ...old, this.store.putOwner(this.self)]);
  }
}
