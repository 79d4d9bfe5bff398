import type { OutputStream } from '../port.js';

type Write = typeof process.stderr.write;

/**
 * What code in this thread writes to its standard streams goes to `take`; what that does not take, and with `echo`
 * everything, goes to the host's stderr. Its stdout belongs to the host: what a step prints must not end up between
 * what the host prints there.
 */
export function divertPrints(
  take: (stream: OutputStream, chunk: Uint8Array | string) => boolean,
  echo: boolean,
): void {
  const toStderr: Write = process.stderr.write.bind(process.stderr);
  for (const name of ['stdout', 'stderr'] as const) {
    const write = (
      chunk: Uint8Array | string,
      encoding?: BufferEncoding | (() => void),
      callback?: () => void,
    ): boolean => {
      const taken = isText(chunk) && take(name, decoded(chunk, encoding));
      if (!taken || echo) return (toStderr as (...args: unknown[]) => boolean)(chunk, encoding, callback);
      const done = typeof encoding === 'function' ? encoding : callback;
      if (done !== undefined) process.nextTick(done);
      return true;
    };
    Object.defineProperty(process[name], 'write', { value: write });
  }
}

/** Anything else is for the stream itself to refuse. */
function isText(chunk: unknown): chunk is Uint8Array | string {
  return typeof chunk === 'string' || chunk instanceof Uint8Array;
}

function decoded(chunk: Uint8Array | string, encoding: unknown): Uint8Array | string {
  if (typeof chunk !== 'string' || typeof encoding !== 'string' || /^utf-?8$/i.test(encoding)) return chunk;
  return Buffer.from(chunk, encoding as BufferEncoding);
}
