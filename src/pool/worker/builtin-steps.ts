import type { StepContext } from '../../base/step.js';

const DONE = Object.freeze({});

/** Does nothing. */
function noop(): object {
  return DONE;
}

/** Sleeps `config.seconds`; returns at once, without a promise, when that is 0 or missing. */
function sleep(context: StepContext): object | Promise<object> {
  const ms = Number(context.nodeConfig['seconds'] ?? 0) * 1000;
  return ms > 0 ? pause(ms, context.signal) : DONE;
}

/** Keeps its thread busy for `config.microseconds`. */
function spin({ nodeConfig }: StepContext): object {
  const endMs = performance.now() + Number(nodeConfig['microseconds'] ?? 0) / 1000;
  while (performance.now() < endMs);
  return DONE;
}

const MAX_DELAY_MS = 2 ** 31 - 1;

function pause(ms: number, signal: AbortSignal): Promise<object> {
  const endMs = performance.now() + ms;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    let timer: NodeJS.Timeout;
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const wait = (): void => {
      const leftMs = endMs - performance.now();
      if (leftMs > 0) {
        timer = setTimeout(wait, Math.min(leftMs, MAX_DELAY_MS));
        return;
      }
      signal.removeEventListener('abort', onAbort);
      resolve(DONE);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    wait();
  });
}

/** The modules behind `uses: "maestro:…#task"`, by URL. */
export const BUILTIN_MODULES: ReadonlyMap<string, ReadonlyMap<string, unknown>> = new Map(
  Object.entries({ noop, sleep, spin }).map(([name, task]) => [`maestro:${name}`, new Map([['task', task]])]),
);
