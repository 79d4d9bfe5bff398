import { toErrorDocument } from '../base/errors.js';
import type { ExecutionStore } from '../store/types.js';
import { MANY_EXECUTIONS } from './retention.js';
import type { Logger } from '../observe/logger.js';

/** Starts between two looks. */
const LOOK_EVERY = 100;

/** Says in the log that many executions are stored: at the opening, and when enough were started since. Said once. */
export class Crowding {
  private started = 0;
  private said = false;

  constructor(
    private readonly store: Pick<ExecutionStore, 'cursorAfter'>,
    private readonly logger: Logger,
  ) {}

  /** An execution was started. */
  note(): void {
    if (this.said || ++this.started % LOOK_EVERY !== 0) return;
    this.look().catch((error: unknown) =>
      this.logger.warn({ error: toErrorDocument(error) }, 'could not look how many executions are stored'),
    );
  }

  /** Asks for one position in the index: a count would read all of it. */
  async look(): Promise<void> {
    const rest = await this.store.cursorAfter({}, MANY_EXECUTIONS);
    // Another look may have ended meanwhile.
    if (rest === undefined || this.said) return;
    this.said = true;
    const message = 'many executions are stored: delete old ones, or give the runtime a retention policy';
    this.logger.warn({ more_than: MANY_EXECUTIONS }, message);
  }
}
