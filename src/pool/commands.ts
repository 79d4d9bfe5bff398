import { invariant } from '../base/assert.js';
import type { ErrorDocument } from '../base/errors.js';
import { RunningCommand } from './command.js';
import type { ResolvedPoolSettings } from './options.js';
import type { PoolListener } from './port.js';
import { SlotPool, type SlotJob } from './slot-pool.js';

/**
 * Runs `run:` commands, each in a child process with its own process group, `commands` at once. Whatever a command
 * leaves running in its group is killed when it has ended: nothing outlives its attempt, or the pool.
 */
export class CommandPool extends SlotPool<RunningCommand> {
  readonly #settings: ResolvedPoolSettings;

  constructor(settings: ResolvedPoolSettings) {
    super(settings, { slots: settings.commands, worker: 'command', workers: 'commands' });
    this.#settings = settings;
  }

  protected override execute(
    entry: SlotJob<RunningCommand>,
    globalContext: string,
    listener: PoolListener,
  ): RunningCommand {
    const { id, call, step } = entry.job;
    invariant(step.kind === 'command', 'the command pool was given a step of another kind');
    return new RunningCommand(step, call, globalContext, this.#settings, {
      output: (stream, text) => {
        if (this.isLive(entry)) listener.output(id, stream, text, 0);
      },
      ended: (result) => this.settle(entry, result),
      died: (error) => this.countDeath(error),
    });
  }

  protected override abort(
    _entry: SlotJob<RunningCommand>,
    run: RunningCommand,
    reason: ErrorDocument,
    graceMs: number,
  ): void {
    run.abort(reason, graceMs);
  }
}
