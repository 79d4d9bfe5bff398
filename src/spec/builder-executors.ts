import type { StepContext } from '../base/step.js';
import type { NoSubworkflow, SubworkflowOptions } from './builder-subworkflows.js';
import type { NoWait, WaitOptions } from './builder-waits.js';

/** Carries a type and nothing else; see `type()`. */
export interface TypeOf<T> {
  readonly __type?: T;
}

/** Says what a step from a module or a command returns: `returns: type<{ files: string[] }>()`. */
export function type<T>(): TypeOf<T> {
  return {};
}

/** What a node executes: a function, a function in a module, a command, another workflow; or what it waits for. */
export type NodeExecutor<Inputs, Output> =
  | (NoSubworkflow & NoWait & StepExecutor<Inputs, Output>)
  | (NoSubworkflow & WaitOptions & NoStep<Output>)
  | (SubworkflowOptions & NoWait & NoStep<Output>);

type StepExecutor<Inputs, Output> =
  | {
      execute: (context: StepContext<Inputs>) => Output;
      uses?: never;
      run?: never;
      env?: never;
      returns?: never;
    }
  | { uses: string; returns?: TypeOf<Output>; execute?: never; run?: never; env?: never }
  | { run: string; env?: Record<string, string>; returns?: TypeOf<Output>; execute?: never; uses?: never };

interface NoStep<Output> {
  returns?: TypeOf<Output>;
  execute?: never;
  uses?: never;
  run?: never;
  env?: never;
}
