import type { ExecutionEvent } from '../runtime/index.js';

/** Proxies cut connections on which nothing happens. */
const KEEP_ALIVE_MS = 15_000;
/** When clients come back after the connection was lost, in milliseconds. */
const RETRY_MS = 2000;

const KEEP_ALIVE = ': keep-alive\n\n';

/**
 * Events as server-sent events, each with its id; a comment when nothing happens for a while; at the end of the
 * execution an event `end`. Pulled by whoever sends them, so nothing is read ahead of a slow client.
 * @param first the next event, when it was asked for already
 */
export async function* eventStream(
  events: AsyncIterator<ExecutionEvent>,
  first: Promise<IteratorResult<ExecutionEvent>>,
  signal: AbortSignal,
): AsyncGenerator<string> {
  yield `retry: ${RETRY_MS}\n\n`;
  for (let next = first; ; next = events.next()) {
    let item = await orKeepAlive(next);
    for (; item === undefined; item = await orKeepAlive(next)) yield KEEP_ALIVE;
    if (signal.aborted) return;
    if (item.done === true) break;
    yield frame(item.value);
  }
  yield 'event: end\ndata: {}\n\n';
}

function frame(event: ExecutionEvent): string {
  return `id: ${event.event_id}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** undefined when there is nothing within the time. */
async function orKeepAlive<T>(next: Promise<T>): Promise<T | undefined> {
  return within(next, KEEP_ALIVE_MS);
}

/** What `work` resolves to, or undefined when it takes longer than `ms`. */
export async function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, ms, undefined)));
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
