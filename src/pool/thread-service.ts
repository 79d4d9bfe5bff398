import type { CancelTimer, Clock } from '../base/clock.js';
import { ToWorker } from './worker/protocol.js';
import type { WireBatch } from './worker/wire.js';
import type { WorkerLink } from './threads-crew.js';

/** A worker that got nothing to do for so long, in milliseconds, is let go at the next look, as long after that at most. */
const LOOK_MS = 50;

/** The time for which a worker is in service: it gets one batch after the other, over its own port. */
export class Service {
  readonly controller = new AbortController();
  /** Its worker; undefined: it has not answered yet. */
  link: WorkerLink | undefined;
  /** It had nothing to do when it was last looked at. */
  isStale = false;

  constructor(
    /** The batch it has; 0: none. */
    public batchId: number,
  ) {}

  /** Ends its worker. */
  abort(reason?: unknown): void {
    this.controller.abort(reason);
  }
}

interface ServicesHost {
  readonly clock: Clock;
  /** Takes a worker into service, with its first batch. Settles when that ends, rejects when the worker does; aborting ends it. */
  hire(batch: WireBatch, signal: AbortSignal): Promise<unknown>;
  /** A worker in service has ended, with the batch it had; 0: none. */
  ended(batchId: number, error: unknown): void;
}

/**
 * Workers in service. To take one into service is a task of the pool library, which costs several times as much as a message
 * over a port that is open; so a worker stays for as long as batches follow each other closely. One that is in service keeps
 * the process alive.
 */
export class Services {
  /** Those whose worker waits for a batch, the last one that had any at the end: it is the most likely to be awake. */
  #waiting: Service[] = [];
  #stopLooking: CancelTimer | undefined;
  /** How many there are. */
  size = 0;

  constructor(private readonly host: ServicesHost) {}

  /** Sends a batch to a worker that is in service and waits, or takes one into service. */
  run(batch: WireBatch): Service {
    const service = this.#waiting.pop();
    if (service === undefined) return this.#begin(batch);
    // Its worker has ended, and the service is about to.
    if (service.link!.gone) return this.run(batch);
    service.batchId = batch.id;
    service.link!.post([ToWorker.run, batch]);
    return service;
  }

  /** This worker is through with its batch. */
  free(service: Service, link: WorkerLink): void {
    service.link = link;
    service.batchId = 0;
    service.isStale = false;
    this.#waiting.push(service);
    this.#lookSoon();
  }

  close(): void {
    this.#stopLooking?.();
    this.#waiting = [];
  }

  #begin(batch: WireBatch): Service {
    const service = new Service(batch.id);
    this.size++;
    this.host.hire(batch, service.controller.signal).then(
      () => this.#end(service),
      (error: unknown) => {
        this.#end(service);
        this.host.ended(service.batchId, error);
      },
    );
    return service;
  }

  #end(service: Service): void {
    this.size--;
    this.#waiting = this.#waiting.filter((each) => each !== service);
  }

  #lookSoon(): void {
    this.#stopLooking ??= this.host.clock.setTimer(LOOK_MS, () => this.#look(), 'background');
  }

  #look(): void {
    this.#stopLooking = undefined;
    for (const { isStale, link } of this.#waiting) if (isStale) link!.post([ToWorker.rest]);
    this.#waiting = this.#waiting.filter(({ isStale }) => !isStale);
    for (const service of this.#waiting) service.isStale = true;
    if (this.#waiting.length > 0) this.#lookSoon();
  }
}
