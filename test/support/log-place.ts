import { BLOCK_BYTES } from '../../src/store/commit-log.js';
import type { LogPlace } from '../../src/store/log-files.js';

/** Logs in memory, which outlive their users. */
export class MemoryLogs implements LogPlace {
  readonly files = new Map<string, Buffer>();
  /** Called before each write; may throw, or never come back. */
  beforeWrite: (owner: string) => Promise<void> = async () => {};
  /** Called after each write, before it is answered. */
  afterWrite: (owner: string) => Promise<void> = async () => {};

  constructor(private readonly blocks = 8) {}

  async create(owner: string): ReturnType<LogPlace['create']> {
    const bytes = Buffer.alloc(this.blocks * BLOCK_BYTES);
    this.files.set(owner, bytes);
    return {
      capacityBytes: bytes.length,
      write: async (frame, at) => {
        await this.beforeWrite(owner);
        bytes.set(frame, at);
        await this.afterWrite(owner);
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
