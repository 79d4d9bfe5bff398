import { afterEach } from 'vitest';
import { createRuntime, type Kv, type Runtime, type RuntimeOptions } from '../../../src/runtime/index.js';
import { MemoryKv } from '../../../src/store/memory-kv.js';
import { outliving } from '../../support/outliving-kv.js';
import { tempDirs } from '../../support/temp-dir.js';

/** Where a runtime and its successors keep what they store: opened any number of times, one after the other. */
export type StorePlace = () => string | Kv;

/** Call at a file's top level: the kinds of stores, each with a function that makes a new place. */
export function storeKinds(): [kind: string, create: () => StorePlace][] {
  const tempDir = tempDirs('maestro-runtime');
  return [
    [
      'memory',
      () => {
        const kv = outliving(new MemoryKv());
        return () => kv;
      },
    ],
    [
      'lmdb',
      () => {
        const path = `lmdb:${tempDir()}`;
        return () => path;
      },
    ],
  ];
}

/** Call at a file's top level: opens runtimes that are closed after each test. */
export function runtimes(): (options?: RuntimeOptions) => Promise<Runtime> {
  const opened: Runtime[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((runtime) => runtime.close({ drainMs: 0 })));
  });
  return async ({ pool, ...options } = {}) => {
    const settings = { store: 'memory:', ...options, pool: { graceMs: 50, threads: 1, ...pool } };
    const runtime = await createRuntime(settings);
    opened.push(runtime);
    return runtime;
  };
}

/** A door that a step waits at until the test opens it. */
export class Gate {
  open!: () => void;
  readonly passed = new Promise<void>((resolve) => (this.open = resolve));
}

/** Waits for what cannot be awaited. Rejects when it does not come true in time. */
export async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 30_000;
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** How often each node has begun, by id: counted by the steps themselves. */
export class Counter {
  readonly counts = new Map<string, number>();

  note(id: string): void {
    this.counts.set(id, (this.counts.get(id) ?? 0) + 1);
  }

  of(id: string): number {
    return this.counts.get(id) ?? 0;
  }
}
