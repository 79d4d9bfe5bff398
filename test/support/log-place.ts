import { BLOCK_BYTES } from '../../src/store/commit-log.js';
import type { LogPlace } from '../../src/store/log-files.js';

/** Logs in memory, which outlive their users. */
export class MemoryLogs implements LogPlace {
  readonly files = new Map<string, Buffer>();
  /** Called before each write; may throw, or never come back. */
  beforeWrite: (owner: string) => Promise<void> = async () => {};
  /** What part of a frame gets there before the power fails, which it then does at each write; null: it does not. */
  tornAt: number | null = null;

  constructor(private readonly blocks = 8) {}

  async create(owner: string): ReturnType<LogPlace['create']> {
    const bytes = Buffer.alloc(this.blocks * BLOCK_BYTES);
    this.files.set(owner, bytes);
    return {
      capacityBytes: bytes.length,
      write: async (frame, at) => {
        await this.beforeWrite(owner);
        if (this.tornAt === null) return void bytes.set(frame, at);
        bytes.set(frame.subarray(0, Math.floor(frame.length * this.tornAt)), at);
        throw new Error('dead');
      },
      close: async () => {},
    };
  }

  async read(owner: string): Promise<Buffer | null> {
    const bytes = this.files.get(owner);
    return bytes === undefined ? null : Buffer.from(bytes);
  }

  async list(): Promise<string[]> {
    return [...this.files.keys()];
  }

  nameOf(owner: string): string {
    return `/store/log-${owner}`;
  }

  async remove(owner: string): Promise<void> {
    this.files.delete(owner);
  }
}
