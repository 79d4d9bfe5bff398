import { availableParallelism } from 'node:os';
import { InvalidArgumentError, Option, type Command } from 'commander';
import {
  DURABILITIES,
  type Durability,
  type PoolOptions,
  type QueueOption,
  type RuntimeOptions,
} from '../runtime/index.js';
import { parseCount, parseNonNegative, parseRestarts, parseWhole } from './options.js';

/** Options of the commands that execute nodes. */
export interface RuntimeFlags {
  durability: Durability;
  concurrency?: number;
  queue?: Record<string, QueueOption>;
  threads?: number;
  processes?: number;
  commands?: number;
  grace?: number;
  maxOutputBytes?: number;
  maxLogChars?: number;
  maxRestarts?: { maxRestarts: number; withinMs: number };
}

export function addRuntimeFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--durability <how>',
        'sync: a result is on disk before what depends on it starts; async: soon after; exit: at pause and end',
      )
        .choices(DURABILITIES)
        .default('sync'),
    )
    .option('--concurrency <n>', 'nodes that may run at once', parseCount)
    .option(
      '--queue <name=limits>',
      'a queue for nodes of all executions: gpu=4 slots, api=10/s, or both: api=8,100/m; repeatable',
      collectQueue,
    )
    .option(
      '--threads <n>',
      `worker threads (default: ${availableParallelism()}, the processors)`,
      parseCount,
    )
    .option('--processes <n>', 'child processes for steps with isolation: process', parseCount)
    .option('--commands <n>', 'commands that may run at once', parseCount)
    .option(
      '--max-restarts <n/seconds>',
      'dead workers that are tolerated, per class; one more stops the runtime (default: 100/60)',
      parseRestarts,
    )
    .option('--grace <seconds>', 'time a cancelled node has to stop before it is ended', parseNonNegative, 5)
    .option('--max-output-bytes <n>', 'largest output of a node, as JSON', parseCount)
    .option(
      '--max-log-chars <n>',
      'most that is kept of what an attempt writes to stdout and stderr (default: 65536; 0: nothing)',
      parseWhole,
    );
}

export function runtimeOptionsOf(flags: RuntimeFlags): RuntimeOptions {
  const { threads, processes, commands, maxOutputBytes, maxRestarts: restart } = flags;
  const pool: PoolOptions = { threads, processes, commands, maxOutputBytes, restart };
  if (flags.grace !== undefined) pool.graceMs = flags.grace * 1000;
  const { durability, concurrency, maxLogChars, queue: queues } = flags;
  return { durability, concurrency, maxLogChars, pool, ...(queues && { queues }) };
}

/** Adds one queue to those given before. @throws InvalidArgumentError */
function collectQueue(text: string, before: Record<string, QueueOption> = {}): Record<string, QueueOption> {
  const [, name, limits = ''] = /^([A-Za-z0-9_][A-Za-z0-9._-]{0,63})=(.+)$/.exec(text) ?? [];
  const [size, rate, ...more] = /^\d+(,|$)/.test(limits) ? limits.split(',') : [undefined, limits];
  if (name === undefined || more.length > 0 || (rate !== undefined && !/^[\d.]+\/[smh]$/.test(rate)))
    throw new InvalidArgumentError('It must be like gpu=4, api=10/s or api=8,100/m.');
  const slots = size === undefined ? undefined : parseCount(size);
  return { ...before, [name]: { size: slots, rate } };
}
