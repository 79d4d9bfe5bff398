import { availableParallelism } from 'node:os';
import { systemClock, type Clock } from '../base/clock.js';
import type { RestartIntensity } from '../policy/restart-intensity.js';

/** Options of createPool. Everything has a default. */
export interface PoolSettings {
  /** Worker threads at once. Default: the machine's available parallelism. */
  threads?: number;
  /** Child processes for steps with `isolation: process` at once. Default: the machine's available parallelism. */
  processes?: number;
  /** Child processes for `run:` at once. Default: the machine's available parallelism. */
  commands?: number;
  /** Inline functions at once. Default 100. */
  inline?: number;
  /** Most that a worker holds back of what a step prints, in characters; 0: it passes on nothing. Default 65,536. */
  maxLogChars?: number;
  /** Whether what steps of modules print also goes to this process's stderr. Default true. */
  echo?: boolean;
  /** Not used here: `cancel` and `close` are told theirs. Accepted so that a runtime's options can be passed on whole. */
  graceMs?: number;
  /** Largest output of one node, in bytes of JSON. Default 32 MiB. */
  maxOutputBytes?: number;
  /** Deaths that are tolerated in each class of workers; one more stops the pool. Default 100 within 60 s. */
  restart?: RestartIntensity;
  /** Timers and wall time. Default: the system's. */
  clock?: Clock;
}

export type ResolvedPoolSettings = Required<Omit<PoolSettings, 'graceMs'>>;

export function resolveSettings(settings: PoolSettings): ResolvedPoolSettings {
  return {
    threads: atLeastOne(settings.threads ?? availableParallelism()),
    processes: atLeastOne(settings.processes ?? availableParallelism()),
    commands: atLeastOne(settings.commands ?? availableParallelism()),
    inline: atLeastOne(settings.inline ?? 100),
    maxOutputBytes: settings.maxOutputBytes ?? 32 * 1024 * 1024,
    maxLogChars: settings.maxLogChars ?? 64 * 1024,
    echo: settings.echo ?? true,
    restart: settings.restart ?? { maxRestarts: 100, withinMs: 60_000 },
    clock: settings.clock ?? systemClock,
  };
}

function atLeastOne(count: number): number {
  return Math.max(1, Math.floor(count));
}
