/** The workers of one kind: functions in the runtime's thread, worker threads, child processes, commands. */
export interface WorkersStatus {
  readonly worker: 'inline' | 'thread' | 'process' | 'command';
  /** Attempts taken and not settled, those that wait in the pool's own queue included. */
  readonly attempts: number;
  /** Workers that exist now. */
  readonly alive: number;
  /** Workers that run something now. */
  readonly busy: number;
  /** Workers that there may be. */
  readonly limit: number;
  /** Workers that died unasked since the start. */
  readonly deaths: number;
  /** Deaths that count for the restart intensity now, and how many of them are tolerated; more stop the pool. */
  readonly recentDeaths: number;
  readonly toleratedDeaths: number;
  /** Too many died: nothing runs here any more. */
  readonly stopped: boolean;
}
