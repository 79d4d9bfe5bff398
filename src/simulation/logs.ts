import { BLOCK_BYTES, readFrames } from '../store/commit-log.js';
import { fenceKey } from '../store/keys.js';
import type { KvOp } from '../store/kv.js';
import type { CommitLogFile, LogPlace } from '../store/log-files.js';
import { never, Writes, type DiskUser, type SimulatedDisk } from './disk.js';

/** Small, so that a log is begun anew now and then. */
const CAPACITY_BYTES = 16 * BLOCK_BYTES;

interface LogOnDisk {
  readonly owner: string;
  readonly user: DiskUser;
  readonly bytes: Buffer;
  /** Number of the last commit in it that counts. */
  told: number;
}

/** The logs on a simulated disk, beside its rows. */
export class SimulatedLogs {
  private readonly files = new Map<string, LogOnDisk>();
  /** What has been told although it is only in a log, by key; null: the row is deleted. */
  private readonly ahead = new Map<string, Uint8Array | null>();

  constructor(private readonly disk: SimulatedDisk) {}

  open(user: DiskUser): LogPlace {
    const place = new Writes(this.disk, user);
    return {
      create: async (owner) => {
        const file = { owner, user, bytes: Buffer.alloc(CAPACITY_BYTES), told: 0 };
        await place.perform('log', `of ${owner} is made`, async () => void this.files.set(owner, file));
        return this.fileOf(user, owner, file);
      },
      read: async (owner) => {
        if (!user.alive) return never();
        const file = this.files.get(owner);
        if (file === undefined) return null;
        // Who takes over makes it count, also where its owner learns that it is not its own any more, or nothing.
        if (await this.isFenced(owner)) this.tell(file);
        return Buffer.from(file.bytes);
      },
      list: async () => (user.alive ? [...this.files.keys()] : never()),
      nameOf: (owner) => `log-${owner}`,
      remove: async (owner) => {
        if (!user.alive) return never();
        this.files.delete(owner);
      },
    };
  }

  /** Those of a commit's ops that nobody has been told of. */
  without(ops: readonly KvOp[]): KvOp[] {
    return ops.filter((op) => {
      const known = this.ahead.get(op.key);
      if (known === undefined || !isSame(known, op)) return true;
      this.ahead.delete(op.key);
      return false;
    });
  }

  private fileOf(user: DiskUser, owner: string, file: LogOnDisk): CommitLogFile {
    const writes = new Writes(this.disk, user);
    return {
      capacityBytes: CAPACITY_BYTES,
      write: async (bytes, at) => {
        await writes.perform('log', `of ${owner}, ${bytes.length} bytes at ${at}`, async (n, isTorn) => {
          // Power may fail after any byte.
          file.bytes.set(isTorn ? bytes.subarray(0, (n * 97) % bytes.length) : bytes, at);
        });
        // Until it is answered nobody sees it, not even its owner.
        if (!(await this.isFenced(owner))) this.tell(file);
      },
      close: async () => {},
    };
  }

  private async isFenced(owner: string): Promise<boolean> {
    return (await this.disk.rows.get(fenceKey(owner))) !== undefined;
  }

  private tell(file: LogOnDisk): void {
    for (const { number, ops } of readFrames(file.bytes, file.owner, file.told)) {
      file.told = number;
      for (const op of ops) this.ahead.set(op.key, op.op === 'put' ? op.value : null);
      this.disk.options.applied?.(file.user, ops);
    }
  }
}

function isSame(known: Uint8Array | null, op: KvOp): boolean {
  if (known === null || op.op === 'del') return known === null && op.op === 'del';
  return Buffer.compare(known, op.value) === 0;
}
