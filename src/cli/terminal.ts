/** A stream the command writes to. */
export type OutputStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly writableNeedDrain?: boolean;
};

/**
 * Everything the command knows of the process it runs in. Injected, so that tests need no process; only `main.ts`
 * makes one from `process`.
 */
export interface Terminal {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  nowMs(): number;
  /** Calls `handler` at each SIGINT, SIGTERM and SIGHUP instead of ending the process; returns how to stop that. */
  onInterrupt(handler: () => void): () => void;
  /** Ends the process at once. */
  exitNow(code: number): void;
}

/** NO_COLOR beats FORCE_COLOR beats whether the stream is a capable terminal (https://no-color.org). */
export function wantsColor(env: Terminal['env'], stream: OutputStream): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return stream.isTTY === true && env.TERM !== 'dumb';
}

/** Whether lines can be redrawn: a terminal that moves its cursor and knows its size, and nobody records what it shows. */
export function canRedraw(env: Terminal['env'], stream: OutputStream): boolean {
  return stream.isTTY === true && stream.columns !== 0 && env.TERM !== 'dumb' && !env.CI;
}
