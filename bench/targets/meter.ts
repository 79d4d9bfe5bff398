import { fileURLToPath } from 'node:url';
import { inChild } from '../child.js';
import { measureInChild, nameOf, spreadOf } from '../harness.js';
import type { BenchCase, Job, Measurement, Spread } from '../types.js';
import type { Probe } from './types.js';

const WORKER = fileURLToPath(new URL('worker.js', import.meta.url));

export interface MeterOptions {
  readonly quick: boolean;
  readonly repetitions: number;
  readonly onProgress?: (what: string) => void;
  /** Ends what is under way. */
  readonly signal?: AbortSignal;
}

/** The best of what was measured of a case, and of the yardsticks that were measured in turns with it. */
export interface Beside {
  readonly best: Measurement;
  /** Nodes per second. */
  readonly rate: Spread;
  readonly yards: readonly number[];
}

/** Measures, each thing in a process of its own, and keeps what the yardsticks were. */
export class Meter {
  readonly #yards = new Map<string, number[]>();

  constructor(readonly options: MeterOptions) {}

  /** The first, or the second when it has to be quick. */
  size<T>(usual: T, quick: T): T {
    return this.options.quick ? quick : usual;
  }

  /** A case and its yardsticks by turns: what disturbs the machine for a while disturbs both. */
  async beside(each: BenchCase, ...jobs: readonly Job[]): Promise<Beside> {
    const runs: Measurement[] = [];
    const yards = jobs.map((): number[] => []);
    for (let k = 0; k < this.options.repetitions; k++) {
      for (const [index, job] of jobs.entries()) yards[index].push(await this.#yard(job));
      this.#tell(nameOf(each));
      runs.push(await this.#measured<Measurement>({ kind: 'case', case: each }));
    }
    return {
      best: runs.reduce((some, other) => (other.seconds < some.seconds ? other : some)),
      rate: spreadOf(runs.map(({ nodes, seconds }) => nodes / seconds)),
      yards: yards.map((rates) => Math.max(...rates)),
    };
  }

  probe<T>(probe: Probe, what: string): Promise<T> {
    this.#tell(what);
    return inChild<Probe, T>(probe, { script: WORKER, what, ...this.#ending() });
  }

  /** As often as there are repetitions. */
  async repeated<T>(measure: () => Promise<T>): Promise<T[]> {
    const found: T[] = [];
    for (let k = 0; k < this.options.repetitions; k++) found.push(await measure());
    return found;
  }

  yardsticks(): Record<string, Spread> {
    return Object.fromEntries([...this.#yards].map(([name, rates]) => [name, spreadOf(rates)]));
  }

  async #yard(job: Job): Promise<number> {
    const name = yardName(job);
    this.#tell(name);
    const rate = await this.#measured<number>(job);
    const known = this.#yards.get(name) ?? [];
    this.#yards.set(name, [...known, rate]);
    return rate;
  }

  #measured<T>(job: Job): Promise<T> {
    return measureInChild<T>({ ...job, cold: this.options.quick }, this.#ending());
  }

  #ending(): { signal?: AbortSignal } {
    return { signal: this.options.signal };
  }

  #tell(what: string): void {
    this.options.onProgress?.(what);
  }
}

function yardName(job: Job): string {
  switch (job.kind) {
    case 'promises':
      return `plain promises, ${job.case.shape} ${job.case.nodes}`;
    case 'bare':
      return `bare loop, ${nameOf(job.case)}`;
    case 'piscina':
      return 'piscina, a message for each task';
    case 'piscina-batched':
      return 'piscina, 100 tasks to a message';
    case 'piscina-in-turn':
      return 'piscina, one task after the other';
    case 'fdatasync':
      return '4 KiB written and fdatasync';
    case 'lmdb':
      return 'rows into LMDB, 1,000 to a commit';
    case 'write-through':
      return '4 KiB written through, awaited';
    case 'case':
    case 'latency':
      return nameOf(job.case);
  }
}
