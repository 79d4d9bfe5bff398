import type { CancelTimer } from '../base/clock.js';
import type { KvOp } from '../store/kv.js';
import type { ExecutionStore, InboxRequest } from '../store/types.js';
import { isWorkflowStatusEnded } from '../base/model.js';
import type { Settings } from './options.js';

interface PollerHost {
  /** Looks at what else may have changed in the store. */
  refresh(): Promise<void>;
  isMine(executionId: string): boolean;
  /** Whether there is anything here that a request could be for. */
  isBusy(): boolean;
  /**
   * Applies a request; `done` removes it and must be committed with its effect.
   * @returns false when its execution has just left: nothing was done
   */
  apply(request: InboxRequest, done: KvOp): Promise<boolean>;
}

/** Requests that somebody has taken on, and what removes them. */
export interface Claim {
  readonly requests: readonly InboxRequest[];
  readonly ops: readonly KvOp[];
}

/** Looks into the durable inbox while executions are here, and hands over requests for them. */
export class InboxPoller {
  private cancelTimer: CancelTimer | null = null;
  private stopped = false;
  /** Requests taken on, until a later look at the inbox finds them gone: not to be applied twice. */
  private readonly taken = new Set<string>();
  private lastLook: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly store: ExecutionStore,
    private readonly settings: Pick<Settings, 'clock' | 'inboxEveryMs'>,
    private readonly host: PollerHost,
  ) {}

  /** Begins looking, if it does not yet. It ends by itself when nothing is here any more. */
  start(): void {
    if (this.cancelTimer !== null || this.stopped) return;
    const { clock, inboxEveryMs } = this.settings;
    this.cancelTimer = clock.setTimer(inboxEveryMs, () => void this.poll());
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer?.();
  }

  /**
   * Takes on what is in the inbox for an execution that comes into memory, so that its waits hear of answers before
   * their deadlines are looked at. The ops must be committed with the effect.
   */
  claim(executionId: string): Promise<Claim> {
    return this.look(async (requests) => {
      const open = requests.filter(
        (request) => request.kind === 'answer' && request.executionId === executionId,
      );
      const mine = open.filter(({ requestId }) => !this.taken.has(requestId));
      for (const { requestId } of mine) this.taken.add(requestId);
      return { requests: mine, ops: mine.map((request) => this.store.deleteRequest(request)) };
    });
  }

  private async poll(): Promise<void> {
    try {
      await this.host.refresh();
      await this.look(async (requests) => {
        for (const request of requests) {
          if (!this.stopped && !this.taken.has(request.requestId)) await this.handle(request);
        }
      });
    } catch {
      // A store that cannot be read fails the next commit, which says so; a request stays where it is.
    }
    this.cancelTimer = null;
    if (this.host.isBusy()) this.start();
  }

  /** One look at a time: what is read is never older than what has been taken on and removed. */
  private look<T>(use: (requests: readonly InboxRequest[]) => Promise<T>): Promise<T> {
    const mine = this.lastLook.then(async () => {
      const requests = await this.store.requests();
      const there = new Set(requests.map(({ requestId }) => requestId));
      for (const id of this.taken) if (!there.has(id)) this.taken.delete(id);
      return use(requests);
    });
    this.lastLook = mine.catch(() => {});
    return mine;
  }

  private async handle(request: InboxRequest): Promise<void> {
    const done = this.store.deleteRequest(request);
    if (!this.host.isMine(request.executionId)) {
      const record = await this.store.getRecord(request.executionId);
      if (record === undefined || isWorkflowStatusEnded(record.status)) await this.store.commit([done]);
      return;
    }
    this.taken.add(request.requestId);
    this.host.apply(request, done).then(
      (applied) => applied || this.taken.delete(request.requestId),
      () => this.taken.delete(request.requestId),
    );
  }
}
