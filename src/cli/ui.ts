import { once } from 'node:events';
import picocolors from 'picocolors';
import type { Colors } from 'picocolors/types.js';
import type { Problem } from '../runtime/index.js';
import { errorEnvelope, formatError } from './error-report.js';
import { formatProblem } from './format/problems.js';
import { canRedraw, wantsColor, type OutputStream, type Terminal } from './terminal.js';

export interface UiOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Stack traces in error reports. */
  readonly verbose: boolean;
}

/**
 * Where the command writes. Results go to stdout; notices, progress and errors to stderr, so that stdout can be
 * piped. With `json`, stdout carries JSON only, and so does every line of stderr.
 */
export class Ui {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Colours for stdout. */
  readonly color: Colors;
  /** Colours for stderr. */
  readonly noteColor: Colors;
  readonly #terminal: Terminal;

  constructor(terminal: Terminal, options: UiOptions) {
    this.#terminal = terminal;
    this.json = options.json;
    this.quiet = options.quiet;
    this.verbose = options.verbose;
    this.color = picocolors.createColors(!options.json && wantsColor(terminal.env, terminal.stdout));
    this.noteColor = picocolors.createColors(!options.json && wantsColor(terminal.env, terminal.stderr));
  }

  /** A line, or several, of the result. */
  print(text: string): void {
    write(this.#terminal.stdout, `${text}\n`);
  }

  /** The one JSON document of the result. */
  document(value: unknown): void {
    this.print(JSON.stringify(value, null, 2));
  }

  /** Waits until a slow reader of stdout has caught up. */
  async drained(): Promise<void> {
    const { stdout } = this.#terminal;
    if (stdout.writableNeedDrain === true && stdout.writable) {
      await Promise.race([once(stdout, 'drain'), once(stdout, 'close')]);
    }
  }

  /** Nobody reads stdout any more (`| head`). */
  get closed(): boolean {
    return !this.#terminal.stdout.writable;
  }

  /** Calls back when nobody reads stdout any more. */
  onClosed(callback: () => void): void {
    this.#terminal.stdout.once('close', callback);
  }

  /** Something worth knowing beside the result; `fields` are for programs. */
  notice(text: string, fields: Record<string, unknown> = {}): void {
    if (this.quiet) return;
    this.#message('notice', this.noteColor.dim(text), { message: text, ...fields });
  }

  /** Something that is probably not as intended. */
  warn(text: string, fields: Record<string, unknown> = {}): void {
    this.#message('warning', this.noteColor.yellow(`warning: ${text}`), { message: text, ...fields });
  }

  /** A problem of an input that does not keep it from being used. */
  problem(problem: Problem): void {
    this.#message('warning', formatProblem(problem, this.noteColor), { ...problem });
  }

  /** A line of progress; not part of JSON output. */
  progress(line: string): void {
    if (!this.quiet && !this.json) write(this.#terminal.stderr, `${line}\n`);
  }

  error(error: unknown): void {
    if (this.json) write(this.#terminal.stderr, `${JSON.stringify(errorEnvelope(error, this.verbose))}\n`);
    else write(this.#terminal.stderr, `${formatError(error, this.noteColor, this.verbose)}\n`);
  }

  /** Whether progress may be drawn over itself on stderr. */
  get redraws(): boolean {
    return !this.json && !this.quiet && canRedraw(this.#terminal.env, this.#terminal.stderr);
  }

  /** The stream that redrawn progress goes to. */
  get progressStream(): OutputStream {
    return this.#terminal.stderr;
  }

  #message(kind: string, text: string, document: Record<string, unknown>): void {
    write(this.#terminal.stderr, `${this.json ? JSON.stringify({ [kind]: document }) : text}\n`);
  }
}

function write(stream: OutputStream, text: string): void {
  if (stream.writable) stream.write(text);
}
