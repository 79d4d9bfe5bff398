import type { CancelTimer, Clock } from '../base/clock.js';
import type { KvOp } from '../store/kv.js';
import type { ExecutionStore, InboxRequest } from '../store/types.js';
import { isWorkflowStatusEnded } from '../base/model.js';
import type { TimerHeap } from '../supervisor/timer-heap.js';

/** How soon a request of another process is seen. */
const POLL_MS = 100;

interface PollerHost {
  isMine(executionId: string): boolean;
  /** Whether there is anything here that a request could be for. */
  isBusy(): boolean;
  /** Applies a request, unless its execution has just left; `done` removes it and must be committed with its effect. */
  apply(request: InboxRequest, done: KvOp): Promise<unknown>;
}

/** Looks into the durable inbox while executions are here, and hands over requests for them. */
export class InboxPoller {
  private cancelTimer: CancelTimer | null = null;
  private stopped = false;
  /** Requests whose removal is not durable yet: not to be applied twice. */
  private readonly applying = new Set<string>();

  constructor(
    private readonly store: ExecutionStore,
    private readonly timers: TimerHeap,
    private readonly clock: Clock,
    private readonly host: PollerHost,
  ) {}

  /** Begins looking, if it does not yet. It ends by itself when nothing is here any more. */
  start(): void {
    if (this.cancelTimer !== null || this.stopped) return;
    this.cancelTimer = this.timers.add(this.clock.nowMs() + POLL_MS, () => void this.poll());
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer?.();
  }

  private async poll(): Promise<void> {
    try {
      for (const request of await this.store.requests()) {
        if (!this.stopped && !this.applying.has(request.requestId)) await this.handle(request);
      }
    } catch {
      // A store that cannot be read fails the next commit, which says so; a request stays where it is.
    }
    this.cancelTimer = null;
    if (this.host.isBusy()) this.start();
  }

  private async handle(request: InboxRequest): Promise<void> {
    const done = this.store.deleteRequest(request);
    if (!this.host.isMine(request.executionId)) {
      const record = await this.store.getRecord(request.executionId);
      if (record === undefined || isWorkflowStatusEnded(record.status)) await this.store.commit([done]);
      return;
    }
    this.applying.add(request.requestId);
    this.host
      .apply(request, done)
      .catch(() => {})
      .finally(() => this.applying.delete(request.requestId));
  }
}
