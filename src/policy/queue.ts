import { MaestroError } from '../base/errors.js';

/** What a node asks of the queue it is in. */
export interface QueueWish {
  readonly queue: string;
  /** Slots it takes while it executes; more than there are count as all of them. */
  readonly slots: number;
  /** Higher goes first. */
  readonly priority: number;
}

/** A queue as somebody configures it: its slots, or more. */
export type QueueOption =
  | number
  | {
      /** Slots that may be taken at once, over all executions of a runtime. Default: no limit. */
      readonly size?: number;
      /** Starts within a time, evenly spaced: `10/s`, `100/m`, `1000/h`. Default: no limit. */
      readonly rate?: string;
    };

export interface QueueLimits {
  readonly size: number;
  /** As it was given; null: no limit. */
  readonly rate: string | null;
  /** The same as the least time between two starts, in milliseconds. */
  readonly spacingMs: number;
}

/** A queue that nobody has configured lets one through at a time. */
export const UNKNOWN_QUEUE: QueueLimits = { size: 1, rate: null, spacingMs: 0 };

const PERIOD_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** @throws CONFIG_CONFLICT naming the queue */
export function queueLimits(queues: Readonly<Record<string, QueueOption>>): Map<string, QueueLimits> {
  return new Map(Object.entries(queues).map(([name, option]) => [name, limitsOf(name, option)]));
}

/** Names that a queue may have. */
export function isQueueName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/.test(name);
}

/** @throws CONFIG_CONFLICT naming the queue */
export function limitsOf(name: string, option: QueueOption): QueueLimits {
  const { size = Infinity, rate } = typeof option === 'number' ? { size: option } : option;
  if (size !== Infinity && !(Number.isSafeInteger(size) && size >= 1))
    throw conflict(name, `its size is ${String(size)}; it must be a whole number, 1 or more`);
  if (rate === undefined) return { size, rate: null, spacingMs: 0 };
  const [, count = '', period = ''] = /^(\d+(?:\.\d+)?)\/([smh])$/.exec(rate) ?? [];
  if (!(Number(count) > 0))
    throw conflict(name, `its rate is ${JSON.stringify(rate)}; it must be like 10/s, 100/m or 1000/h`);
  return { size, rate, spacingMs: PERIOD_MS[period] / Number(count) };
}

function conflict(name: string, what: string): MaestroError {
  return new MaestroError('CONFIG_CONFLICT', `queue ${JSON.stringify(name)}: ${what}`);
}
