import { fork, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { CancelTimer } from '../base/clock.js';
import { BoundedText } from './bounded-text.js';
import type { ResolvedPoolSettings } from './options.js';
import type { OutputStream } from './port.js';
import type { HostMessage } from './worker/protocol.js';

const ENTRY = fileURLToPath(new URL('./worker/child-entry.js', import.meta.url));
/** How long after a child's exit its pipes may stay open. */
const DRAIN_MS = 200;
/** How long a killed child may take to end; one that hangs in the kernel may never. */
const GONE_MS = 1_000;
/** How much of the end of stderr is kept to explain a death, in characters. */
const STDERR_TAIL = 8 * 1024;

export interface ChildEvents {
  message(message: unknown): void;
  output(stream: OutputStream, text: string): void;
  /** Once, when the child is no more; nothing comes after it. */
  gone(end: ChildEnd): void;
}

/** How a child ended. */
export interface ChildEnd {
  /** By `kill`. */
  readonly killed: boolean;
  /** In words: its exit code, its signal, or that it ran out of memory. */
  readonly how: string;
  /** What went wrong on the host's side, when it could not be started. */
  readonly cause: unknown;
}

/**
 * One child process that runs steps, the leader of its own process group. Whatever a step has left running in the
 * group ends with it. An idle child does not keep the host alive.
 */
export class Child {
  readonly #settings: ResolvedPoolSettings;
  readonly #events: ChildEvents;
  readonly #process: ChildProcess;
  readonly #stderr = new BoundedText(STDERR_TAIL);
  #timers: CancelTimer[] = [];
  #killed = false;
  #gone = false;
  #exit: string | undefined;
  #cause: unknown;

  constructor(
    /** Limit of its heap in MiB, if it has one. */
    readonly maxHeapMb: number | undefined,
    settings: ResolvedPoolSettings,
    events: ChildEvents,
  ) {
    this.#settings = settings;
    this.#events = events;
    const heap = maxHeapMb === undefined ? [] : [`--max-old-space-size=${maxHeapMb}`];
    const child = fork(ENTRY, [String(settings.maxOutputBytes), String(process.pid)], {
      execArgv: [...inheritedArguments(process.execArgv), ...heap],
      detached: process.platform !== 'win32',
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#process = child;
    child.on('message', (message) => {
      if (!this.#gone) events.message(message);
    });
    child.on('error', (error) => {
      this.#cause ??= error;
      // Without a pid it was never there, and no exit will tell.
      if (child.pid === undefined) this.#end();
    });
    child.on('exit', (code, signal) => this.#onExit(code, signal));
    // Everything it had sent and printed has been read.
    child.on('close', () => this.#end());
    this.#read('stdout', child.stdout);
    this.#read('stderr', child.stderr);
  }

  get gone(): boolean {
    return this.#gone;
  }

  post(message: HostMessage): void {
    // A child that is gone, or going, is told of by `gone`.
    if (this.#process.connected) this.#process.send(message, () => {});
  }

  /** SIGKILL, to it and to everything it has started. */
  kill(): void {
    if (this.#killed || this.#gone) return;
    this.#killed = true;
    this.#signalGroup();
    this.#after(GONE_MS, () => this.#end());
  }

  /** Whether it keeps the host's event loop alive. */
  hold(held: boolean): void {
    const parts = [this.#process, this.#process.channel, this.#process.stdout, this.#process.stderr];
    for (const part of parts as ({ ref(): void; unref(): void } | null | undefined)[]) {
      if (held) part?.ref();
      else part?.unref();
    }
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    this.#exit = signal === null ? `exit code ${code}` : signal;
    this.#signalGroup();
    // Its pipes may be held open by what has left its group. What can be read is read once more.
    this.#after(DRAIN_MS, () => setImmediate(() => this.#end()));
  }

  #end(): void {
    if (this.#gone) return;
    this.#gone = true;
    for (const clear of this.#timers) clear();
    this.#process.stdout?.destroy();
    this.#process.stderr?.destroy();
    if (this.#process.connected) this.#process.disconnect();
    const how = this.#stderr.end(STDERR_TAIL).includes('heap out of memory')
      ? `out of memory (${this.#exit ?? 'killed'}${this.#limit()})`
      : (this.#exit ?? (this.#cause instanceof Error ? this.#cause.message : 'no exit was seen'));
    this.#events.gone({ killed: this.#killed, how, cause: this.#cause });
  }

  #limit(): string {
    return this.maxHeapMb === undefined ? '' : `, max_heap_mb is ${this.maxHeapMb}`;
  }

  #read(name: OutputStream, stream: Readable | null): void {
    stream?.setEncoding('utf8');
    stream?.on('error', () => {});
    stream?.on('data', (text: string) => {
      if (name === 'stderr') this.#stderr.append(text);
      this.#events.output(name, text);
    });
  }

  #after(delayMs: number, fn: () => void): void {
    this.#timers.push(this.#settings.clock.setTimer(delayMs, fn));
  }

  #signalGroup(): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    try {
      process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
    } catch {
      // Nobody of the group is left.
    }
  }
}

/** Options of this process that are about this process: its debugger, and the script it was given. */
const OWN_OPTION =
  /^--(?:inspect|debug-port|test|watch|input-type|eval|print|check|interactive)|^-(?:[epci]|pe)$/;
const TAKES_SCRIPT = /^(?:--eval|--print|-e|-p|-pe)$/;

/** What of this process's options its children need too: how modules are found and loaded. */
export function inheritedArguments(execArgv: readonly string[]): string[] {
  return execArgv.filter(
    (text, index) => !OWN_OPTION.test(text) && !TAKES_SCRIPT.test(execArgv[index - 1] ?? ''),
  );
}
