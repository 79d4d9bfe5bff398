/** How large a queue is. */
export interface QueueLimit {
  /** Slots that may be taken at once; null: no limit. */
  slots: number | null;
  /** Starts within a time, evenly spaced: `10/s`, `100/m`, `1000/h`; null: no limit. */
  rate: string | null;
}

/** What is said about a queue. */
export interface QueueDocument {
  queue: string;
  /** As it was set for every process on the store, before what those were started with; null: it was not. */
  setting: QueueLimit | null;
  /** What living processes with executions were started with. */
  processes: (QueueLimit & { pid: number; hostname: string })[];
}

/** Limits over all executions of a process. What is set here is kept in the store, and holds for each of its processes. */
export interface QueueSettings {
  /** Queues of which something is said, by name. One that nobody says anything of has one slot. */
  list(): Promise<QueueDocument[]>;
  /**
   * Sets how large a queue is in each process on the store; what is left out has no limit. Here at once, in others as soon
   * as they look into the store: within a second while they run executions. What runs goes on.
   * @throws CONFIG_CONFLICT for a name or a limit that makes no sense
   */
  set(queue: string, limit: Partial<QueueLimit>): Promise<QueueDocument>;
  /** Forgets what was set: what each process was started with holds again. @returns false when it was not set */
  unset(queue: string): Promise<boolean>;
}
