import { fork } from 'node:child_process';
import { MaestroError } from '../src/runtime/index.js';

export interface ChildOptions {
  /** The module that answers, by `answerParent`. */
  readonly script: string;
  /** What is measured, for errors. */
  readonly what: string;
  readonly signal?: AbortSignal;
  /** A command that the process is run under, with its arguments. */
  readonly under?: readonly string[];
}

/**
 * Has a process of its own answer one job: with its own memory, and nothing compiled or collected before.
 * @throws BENCH_FAILED when it answers with an error or ends without an answer
 */
export function inChild<J extends object, T>(
  job: J,
  { script, what, signal, under = [] }: ChildOptions,
): Promise<T> {
  const failed = (why: string, cause?: unknown): MaestroError =>
    new MaestroError('BENCH_FAILED', `${what} could not be measured: ${why}`, { cause });
  return new Promise((resolve, reject) => {
    const [execPath, ...args] = [...under, process.execPath];
    const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const;
    const child = fork(script, { execPath, execArgv: args, signal, stdio: [...stdio] });
    let answer: { result: T } | { error: string } | undefined;
    child.once('message', (message) => (answer = message as typeof answer));
    child.once('error', (cause) => reject(failed(cause.message, cause)));
    child.once('exit', (code, killedBy) => {
      if (answer !== undefined && 'result' in answer) resolve(answer.result);
      else reject(failed(answer?.error ?? `its process ended with ${killedBy ?? code}`));
    });
    child.send(job);
  });
}

/** The other side: answers the one job that the parent sends. */
export function answerParent<J>(measure: (job: J) => Promise<unknown>): void {
  // What traces this process ends before it when the parent is interrupted; nobody waits for an answer then.
  const abandon = (): void => void process.kill(process.pid);
  const answer = (message: object): void => {
    process.off('disconnect', abandon);
    // Without its channel nothing holds the process.
    process.send!(message, () => process.disconnect());
  };
  process.once('disconnect', abandon);
  process.once('message', (job: J) => {
    measure(job).then(
      (result) => answer({ result }),
      (error: unknown) => answer({ error: String(error) }),
    );
  });
}

/** As by `kill -9`, once the answer has been sent: the channel ends with it. */
export function dieWhenAnswered(): void {
  process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
}
