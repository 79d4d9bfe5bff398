import type { Command } from 'commander';
import type { CommandContext } from './session.js';

/** What a command does: arguments and options as commander gives them; resolves to the exit code. */
export type Action<Args extends unknown[]> = (context: CommandContext, ...args: Args) => Promise<number>;

/** How a command file adds its command. */
export interface Registry {
  readonly program: Command;
  /** Turns an action into what `command.action()` takes. */
  readonly bind: <Args extends unknown[]>(action: Action<Args>) => (...params: unknown[]) => Promise<void>;
}

/** Examples at the end of a command's help. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;
}
