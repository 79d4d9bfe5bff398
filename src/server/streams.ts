import { MaestroError } from '../runtime/index.js';

/** How long a stream that was told to end may take before its connection is cut. */
export const END_TIMEOUT_MS = 2000;

/** The event streams that are open, of whichever kind: a bounded number, all ended when the service shuts down. */
export class Streams {
  private readonly open = new Set<() => void>();
  private ended = false;

  constructor(private readonly limit: number) {}

  /** @throws RATE_LIMITED, DRAINING */
  assertRoom(): void {
    if (this.ended) throw new MaestroError('DRAINING', 'the service is shutting down');
    if (this.open.size < this.limit) return;
    throw new MaestroError('RATE_LIMITED', `${this.limit} event streams are open already`, {
      next: 'Close one, or let the operator raise --max-streams.',
    });
  }

  /** @param end called when the service shuts down @returns to be called when the stream is closed */
  add(end: () => void): () => void {
    this.open.add(end);
    if (this.ended) end();
    return () => this.open.delete(end);
  }

  endAll(): void {
    this.ended = true;
    for (const end of this.open) end();
  }
}
