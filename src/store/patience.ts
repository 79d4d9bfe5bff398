/** How long a commit may take before it is given up. */
export const COMMIT_TIMEOUT_MS = 30_000;
/** After this many times its patience a commit is given up, whatever others do: its own writer may be the one that hangs. */
const MOST = 10;

/**
 * Settles as a commit does, or rejects when it is given up: after `patienceMs`, unless others have committed during the
 * last half of it. On a machine with hundreds of processes that can run, one that holds the writer lock may wait for
 * seconds until it is its turn, and so each of those before this one; that is no store that hangs. The timer does not keep
 * the process alive.
 * @param progress something that is another whenever anybody has committed
 */
export async function answered(
  commit: Promise<unknown>,
  patienceMs: number,
  progress: () => unknown,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const givenUp = new Promise<never>((_resolve, reject) => {
    const look = (halves: number, before: unknown): void => {
      // A process that was not its turn for long finds timer and answer at once: the answer counts.
      const judge = (): void => {
        if (isOver) return;
        const now = progress();
        const waitedMs = (halves * patienceMs) / 2;
        if (halves < 2 || (now !== before && halves < 2 * MOST)) look(halves + 1, now);
        else reject(new Error(`no answer within ${waitedMs} ms`));
      };
      timer = setTimeout(() => setImmediate(judge), patienceMs / 2).unref();
    };
    look(1, undefined);
  });
  try {
    await Promise.race([commit, givenUp]);
  } finally {
    isOver = true;
    clearTimeout(timer);
  }
}
