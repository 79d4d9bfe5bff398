import { crc32 } from 'node:zlib';
import type { BenchGraph } from '../types.js';
import type { Waiting } from './crew.js';
import type { BareRow, Disk } from './disk.js';
import type { BareResults } from './protocol.js';

/** The states that a node goes through. */
const [PENDING, READY, RUNNING, COMPLETED] = [0, 1, 2, 3];
const NOTHING = Buffer.alloc(0);
/** Bytes of a record before its entries: execution, sequence, number of entries. */
const RECORD_HEAD = 12;
/** Bytes of an entry before its output: node, time, length of the output. */
const ENTRY_HEAD = 16;
const CHECKSUM = 4;

class BareExecution {
  readonly states: Uint8Array;
  readonly unfinished: Int32Array;
  readonly outputs: string[];
  left: number;
  /** Of the next record in its journal. */
  sequence = 0;
  /** Nodes that have completed since the last commit. */
  completed: number[] = [];

  constructor(
    readonly number: number,
    dependencies: BenchGraph['dependencies'],
    readonly ended: () => void,
  ) {
    this.left = dependencies.length;
    this.states = new Uint8Array(this.left).fill(PENDING);
    this.unfinished = Int32Array.from(dependencies, ({ length }) => length);
    this.outputs = new Array<string>(this.left).fill('');
  }
}

/**
 * The loop of the runtime's design with nothing in it but what it has to do at least: it keeps the states of nodes and counts
 * what they wait for, writes what has completed with its time and result before anything that depends on it starts, joins the
 * inputs of steps as text, and keeps one row for each execution with an index by status. One graph, no conditions, no retries,
 * no events, no errors.
 */
export class BareLoop {
  readonly #dependents: number[][];
  readonly #keys: readonly string[];
  readonly #active = new Map<number, BareExecution>();
  #touched = new Set<BareExecution>();
  #ready: [BareExecution, number][] = [];
  #results: BareResults[] = [];
  #isScheduled = false;
  #isCommitting = false;
  #last = 0;
  #buffer = Buffer.allocUnsafe(2 ** 16);

  constructor(
    private readonly dependencies: BenchGraph['dependencies'],
    /** Whether a step starts only when what made it ready is on disk. */
    private readonly isSync: boolean,
    private readonly disk: Pick<Disk, 'log' | 'put'>,
    private readonly run: (steps: readonly Waiting[]) => void,
  ) {
    this.#dependents = dependencies.map(() => []);
    for (const [node, before] of dependencies.entries())
      for (const each of before) this.#dependents[each].push(node);
    this.#keys = dependencies.map((_, node) => `"n${node}":`);
  }

  /** Resolves when one more execution has ended. */
  execute(): Promise<void> {
    return new Promise((resolve) => {
      const execution = new BareExecution(this.#last++, this.dependencies, resolve);
      this.#active.set(execution.number, execution);
      this.#touched.add(execution);
      for (const [node, { length }] of this.dependencies.entries())
        if (length === 0) this.#makeReady(execution, node);
      this.#schedule();
    });
  }

  /** Steps have ended: `execution × nodes + node`, and the output. */
  take(results: BareResults): void {
    this.#results.push(results);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.#turn());
  }

  #turn(): void {
    this.#isScheduled = false;
    for (const results of this.#results)
      for (let at = 0; at < results.length; at += 2)
        this.#complete(results[at] as number, results[at + 1] as string);
    this.#results = [];
    this.#flush();
  }

  #complete(step: number, output: string): void {
    const nodes = this.dependencies.length;
    const node = step % nodes;
    const execution = this.#active.get((step - node) / nodes)!;
    if (execution.states[node] !== RUNNING) return;
    execution.states[node] = COMPLETED;
    execution.outputs[node] = output;
    execution.completed.push(node);
    execution.left--;
    this.#touched.add(execution);
    for (const dependent of this.#dependents[node])
      if (--execution.unfinished[dependent] === 0) this.#makeReady(execution, dependent);
  }

  #makeReady(execution: BareExecution, node: number): void {
    execution.states[node] = READY;
    this.#ready.push([execution, node]);
  }

  /** One commit at a time. */
  #flush(): void {
    if (!this.isSync) this.#start(this.#takeReady());
    if (this.#isCommitting || this.#touched.size === 0) return;
    const ready = this.#takeReady();
    const touched = this.#touched;
    this.#touched = new Set();
    // What ends meanwhile comes with the next commit.
    const ended = [...touched].filter(({ left }) => left === 0);
    this.#isCommitting = true;
    void this.#commit(touched).then(() => {
      this.#isCommitting = false;
      this.#start(ready);
      for (const execution of ended) this.#end(execution);
      this.#flush();
    });
  }

  #takeReady(): [BareExecution, number][] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  #end(execution: BareExecution): void {
    this.#active.delete(execution.number);
    execution.ended();
  }

  #start(ready: readonly [BareExecution, number][]): void {
    if (ready.length === 0) return;
    const nodes = this.dependencies.length;
    const steps = ready.map(([execution, node]): Waiting => {
      execution.states[node] = RUNNING;
      return [execution.number * nodes + node, this.#inputs(execution, node)];
    });
    this.run(steps);
  }

  #inputs({ outputs }: BareExecution, node: number): string {
    let text = '{';
    for (const each of this.dependencies[node])
      text += (text === '{' ? '' : ',') + this.#keys[each] + outputs[each];
    return text + '}';
  }

  #commit(touched: ReadonlySet<BareExecution>): Promise<void> {
    const nowMs = Date.now();
    const journal: BareRow[] = [];
    const rows: BareRow[] = [];
    const gone: string[] = [];
    let length = 0;
    for (const execution of touched) {
      const from = length;
      length = this.#record(execution, length, nowMs);
      const isNew = execution.sequence === 0;
      const key = `x/${execution.number}/j/${execution.sequence++}`;
      journal.push({ key, value: Buffer.from(this.#buffer.subarray(from, length)) });
      if (isNew || execution.left === 0) this.#keep(execution, nowMs, rows, gone);
    }
    if (rows.length > 0) return this.disk.put([...journal, ...rows], gone);
    return this.disk.log(this.#buffer.subarray(0, length), journal);
  }

  /** Appends what has become of an execution. @returns where that ends */
  #record(execution: BareExecution, from: number, nowMs: number): number {
    const { number, completed, outputs, sequence } = execution;
    let needed = from + RECORD_HEAD + CHECKSUM;
    for (const node of completed) needed += ENTRY_HEAD + 3 * outputs[node].length;
    if (needed > this.#buffer.length)
      this.#buffer = Buffer.concat([this.#buffer.subarray(0, from)], 2 * needed);
    const buffer = this.#buffer;
    let at = buffer.writeUInt32LE(number, from);
    at = buffer.writeUInt32LE(sequence, at);
    at = buffer.writeUInt32LE(completed.length, at);
    for (const node of completed) {
      const bytes = buffer.write(outputs[node], at + ENTRY_HEAD);
      at = buffer.writeUInt32LE(node, at);
      at = buffer.writeDoubleLE(nowMs, at);
      at = buffer.writeUInt32LE(bytes, at) + bytes;
    }
    execution.completed = [];
    return buffer.writeUInt32LE(crc32(buffer.subarray(from, at)), at);
  }

  /** The row of an execution, and its place among those of its status. */
  #keep({ number, left }: BareExecution, nowMs: number, rows: BareRow[], gone: string[]): void {
    const status = left === 0 ? 'completed' : 'running';
    const record = { number, status, nodes: this.dependencies.length, at: nowMs };
    rows.push({ key: `x/${number}`, value: Buffer.from(JSON.stringify(record)) });
    rows.push({ key: `s/${status}/${number}`, value: NOTHING });
    if (left === 0) gone.push(`s/running/${number}`);
  }
}
