import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import type { Clock } from '../base/clock.js';
import { MaestroError } from '../base/errors.js';
import { Services, type Service } from './thread-service.js';
import { HELLO, type Hello, type HostMessage, type WorkerSettings } from './worker/protocol.js';
import type { WireBatch } from './worker/wire.js';

/** A worker that nobody needed for this long is ended. */
const IDLE_MS = 30_000;

/** The host's end of one worker's private port. */
export class WorkerLink {
  /** What the worker said about its own death: batch (0 when unknown) and index of the job that caused it. */
  lastWords: { readonly batchId: number; readonly index: number } | undefined;
  /** Its death has been taken into account. */
  mourned = false;
  gone = false;
  readonly #onGone: (() => void)[] = [];

  constructor(
    /** Its number, as in TAKEN. */
    readonly worker: number,
    readonly port: MessagePort,
  ) {}

  post(message: HostMessage): void {
    this.port.postMessage(message);
  }

  /** Calls `fn` when the thread has ended, at once if it has already. */
  whenGone(fn: () => void): void {
    if (this.gone) fn();
    else this.#onGone.push(fn);
  }

  end(): void {
    this.gone = true;
    for (const fn of this.#onGone.splice(0)) fn();
  }
}

export interface CrewEvents {
  /** A worker can be spoken to. */
  joined(link: WorkerLink): void;
  message(link: WorkerLink, message: unknown): void;
  /** The worker's thread has ended; everything it sent has been delivered. */
  gone(link: WorkerLink): void;
  /** There is a worker less than before: batches may be waiting for one that will never be. */
  shrunk(): void;
  /** The worker that had this batch, or was to have it, has ended. */
  died(batchId: number, error: unknown): void;
}

/** The worker threads, held by Piscina; the only file that knows it. Workers start when batches need them. */
export class Crew {
  readonly #threads: number;
  readonly #settings: Omit<WorkerSettings, 'worker'>;
  readonly #events: CrewEvents;
  readonly #links = new Map<number, WorkerLink>();
  readonly #services: Services;
  #piscina: Piscina<WireBatch, void> | undefined;
  #starting: Promise<void> | undefined;
  /** The last error of a worker that had no batch. */
  lastError: unknown;

  constructor(threads: number, clock: Clock, settings: Omit<WorkerSettings, 'worker'>, events: CrewEvents) {
    this.#threads = threads;
    this.#settings = settings;
    this.#events = events;
    this.#services = new Services({
      clock,
      hire: (batch, signal) => this.#piscina!.run(batch, { signal }),
      ended: (batchId, error) => {
        if (batchId === 0) this.lastError = error;
        else this.#events.died(batchId, error);
      },
    });
  }

  get ready(): boolean {
    return this.#piscina !== undefined;
  }

  /** Workers that run or are starting. */
  get size(): number {
    return this.#piscina?.threads.length ?? 0;
  }

  /** How many batches wait for workers that will never be. */
  get forsaken(): number {
    return Math.max(0, this.#services.size - this.size);
  }

  /** The worker of this number, from when it can be spoken to until its end has been told. */
  link(worker: number): WorkerLink | undefined {
    return this.#links.get(worker);
  }

  /** Loads Piscina; starts no worker yet. @throws INVARIANT when the package's own worker file is missing */
  start(): Promise<void> {
    this.#starting ??= this.#load();
    return this.#starting;
  }

  /** Sends a batch to a worker. Once that is through with it, `free` it, unless it died. */
  run(batch: WireBatch): Service {
    return this.#services.run(batch);
  }

  free(service: Service, link: WorkerLink): void {
    this.#services.free(service, link);
  }

  /** Delivers everything that workers have sent so far before it returns. */
  drain(): void {
    for (const link of this.#links.values())
      for (let next = receiveMessageOnPort(link.port); next; next = receiveMessageOnPort(link.port))
        this.#events.message(link, next.message);
  }

  /** Ends all workers. */
  async destroy(): Promise<void> {
    this.#services.close();
    await this.#starting?.catch(() => {});
    await this.#piscina?.destroy();
    for (const link of this.#links.values()) link.port.close();
  }

  async #load(): Promise<void> {
    const filename = fileURLToPath(new URL('./worker/entry.js', import.meta.url));
    if (!existsSync(filename))
      throw new MaestroError(
        'INVARIANT',
        `the worker file ${filename} does not exist: is the package built?`,
      );
    const { Piscina } = await import('piscina');
    const piscina = new Piscina<WireBatch, void>({
      filename,
      name: 'serve',
      minThreads: 0,
      maxThreads: this.#threads,
      // There are never more batches out than threads: this queue only bridges a worker's start, and another's rest.
      maxQueue: this.#threads,
      idleTimeout: IDLE_MS,
      atomics: 'disabled',
      recordTiming: false,
      workerData: this.#settings,
    });
    piscina.on('message', (message: unknown) => this.#onHello(message));
    piscina.on('error', (error: unknown) => {
      this.lastError = error;
    });
    // Emitted before Piscina has forgotten the worker.
    piscina.on('workerDestroy', () => setImmediate(() => this.#events.shrunk()));
    this.#piscina = piscina;
  }

  /** Steps share the worker's parentPort, so anything may come here. */
  #onHello(message: unknown): void {
    if (typeof message !== 'object' || message === null || (message as Hello).type !== HELLO) return;
    const { worker, port } = message as Hello;
    const link = new WorkerLink(worker, port);
    this.#links.set(worker, link);
    link.port.on('message', (received: unknown) => this.#events.message(link, received));
    // Comes after all messages. The port must not be read any more: in here, that ends the process.
    link.port.on('close', () => {
      link.end();
      this.#events.gone(link);
      this.#links.delete(worker);
    });
    // Piscina holds the process while a batch is out; an idle worker must not.
    link.port.unref();
    this.#events.joined(link);
  }
}
