import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { CancelTimer } from '../base/clock.js';
import { MaestroError, toErrorDocument, type ErrorDocument } from '../base/errors.js';
import { BoundedText } from './bounded-text.js';
import { LastJsonLine } from './json-line.js';
import type { ResolvedPoolSettings } from './options.js';
import { artifactDirOf, idempotencyKeyOf, type OutputStream, type StepCall, type StepRef } from './port.js';
import { encodeError, encodeOutput, type StepResult } from './step-result.js';

/** Most of each stream that is kept for an output or an error, in characters. */
const STREAM_LIMIT = 1024 * 1024;
/** How long after the shell has exited its pipes may stay open, held by processes it left behind. */
const DRAIN_MS = 200;
/** How much of stderr an error carries, in characters. */
const STDERR_TAIL = 4 * 1024;

type CommandStep = Extract<StepRef, { kind: 'command' }>;

export interface CommandEvents {
  output(stream: OutputStream, text: string): void;
  /** Once, never synchronously with the constructor. */
  ended(result: StepResult): void;
  /** Before `ended`: the machine had no room for it, or a signal ended it that was not ours. */
  died(error: unknown): void;
}

/** A process that cannot be started for one of these says nothing about its command. */
const NO_ROOM: readonly unknown[] = ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'];

/** One shell command in its own process group, from spawn to the last of its pipes. */
export class RunningCommand {
  readonly #settings: ResolvedPoolSettings;
  readonly #events: CommandEvents;
  readonly #text = { stdout: new BoundedText(STREAM_LIMIT), stderr: new BoundedText(STREAM_LIMIT) };
  readonly #json: LastJsonLine;
  readonly #command: string;
  #child: ChildProcess | undefined;
  #reason: ErrorDocument | undefined;
  #exit: { code: number | null; signal: NodeJS.Signals | null } | undefined;
  #timers: CancelTimer[] = [];
  #ended = false;

  constructor(
    step: CommandStep,
    call: StepCall,
    globalContext: string,
    settings: ResolvedPoolSettings,
    events: CommandEvents,
  ) {
    this.#settings = settings;
    this.#events = events;
    this.#command = step.command;
    this.#json = new LastJsonLine(settings.maxOutputBytes);
    try {
      this.#start(step, call, globalContext);
    } catch (error) {
      setImmediate(() => this.#end(this.#notStarted(error)));
    }
  }

  /** SIGTERM to the group now, SIGKILL after `graceMs`. Asked again, the first reason stays. */
  abort(reason: ErrorDocument, graceMs: number): void {
    if (this.#ended || (this.#reason === undefined && this.#exit !== undefined)) return;
    this.#reason ??= reason;
    this.#signalGroup('SIGTERM');
    this.#after(graceMs, () => {
      this.#signalGroup('SIGKILL');
      this.#after(DRAIN_MS, () => this.#end());
    });
  }

  #start(step: CommandStep, call: StepCall, globalContext: string): void {
    const artifactDir = artifactDirOf(call);
    if (artifactDir !== '') mkdirSync(artifactDir, { recursive: true });
    const child = spawn(step.command, {
      shell: true,
      cwd: step.cwd,
      env: { ...process.env, ...step.env, ...environmentOf(call) },
      // A group of its own, so that a signal reaches everything the shell has started.
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    this.#child = child;
    child.on('error', (error) => this.#end(this.#notStarted(error)));
    child.on('exit', (code, signal) => {
      this.#exit = { code, signal };
      // When cancelled, processes that the shell left behind still have the rest of the grace period.
      if (this.#reason === undefined) this.#after(DRAIN_MS, () => this.#end());
    });
    child.on('close', () => this.#end());
    this.#read('stdout', child.stdout);
    this.#read('stderr', child.stderr);
    // A command that does not read its stdin closes the pipe: EPIPE says nothing about its success.
    child.stdin.on('error', () => {});
    child.stdin.end(documentOf(call, globalContext));
  }

  #read(name: OutputStream, stream: Readable): void {
    stream.setEncoding('utf8');
    stream.on('error', () => {});
    stream.on('data', (text: string) => {
      this.#text[name].append(text);
      if (name === 'stdout') this.#json.append(text);
      this.#events.output(name, text);
    });
  }

  #end(result?: StepResult): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const clear of this.#timers) clear();
    this.#signalGroup('SIGKILL');
    this.#child?.stdout?.destroy();
    this.#child?.stderr?.destroy();
    const cancelled = this.#reason;
    this.#events.ended(
      cancelled !== undefined ? { ok: false, error: cancelled } : (result ?? this.#result()),
    );
  }

  #result(): StepResult {
    const { code, signal } = this.#exit ?? { code: null, signal: null };
    if (code !== 0) return this.#failed(code, signal);
    const { maxOutputBytes } = this.#settings;
    const found = this.#json.end();
    if (found === undefined)
      return encodeOutput({ exit_code: 0, stdout: this.#text.stdout.text() }, maxOutputBytes);
    if ('value' in found) return encodeOutput(found.value, maxOutputBytes);
    const message = `the command printed a line of JSON longer than the limit of ${maxOutputBytes} bytes`;
    return { ok: false, error: toErrorDocument(new MaestroError('OUTPUT_TOO_LARGE', message)) };
  }

  #failed(code: number | null, signal: NodeJS.Signals | null): StepResult {
    const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
    const meaning = code === 127 ? ' (command not found)' : code === 126 ? ' (not executable)' : '';
    const stderr = this.#text.stderr.end(STDERR_TAIL).trim();
    const said = stderr === '' ? '' : `: ${lastLine(stderr)}`;
    const error = new MaestroError('COMMAND_FAILED', `the command ${how}${meaning}${said}`, {
      details: { command: this.#command, exit_code: code, signal, stderr },
    });
    if (signal !== null) this.#events.died(error);
    return encodeError(error);
  }

  #notStarted(cause: unknown): StepResult {
    const why = cause instanceof Error ? cause.message : String(cause);
    if (NO_ROOM.includes((cause as NodeJS.ErrnoException).code)) this.#events.died(cause);
    return encodeError(
      new MaestroError('COMMAND_FAILED', `the command could not be started: ${why}`, {
        cause,
        details: { command: this.#command },
        next: 'Check that the working folder exists and that processes can be started.',
      }),
    );
  }

  #after(delayMs: number, fn: () => void): void {
    this.#timers.push(this.#settings.clock.setTimer(delayMs, fn));
  }

  #signalGroup(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(process.platform === 'win32' ? pid : -pid, signal);
    } catch {
      // Nobody of the group is left.
    }
  }
}

function environmentOf(call: StepCall): Record<string, string> {
  return {
    MAESTRO_WORKFLOW_ID: call.workflowId,
    MAESTRO_EXECUTION_ID: call.executionId,
    MAESTRO_NODE_ID: call.nodeId,
    MAESTRO_ATTEMPT: String(call.attempt),
    MAESTRO_IDEMPOTENCY_KEY: idempotencyKeyOf(call),
    MAESTRO_ARTIFACT_DIR: artifactDirOf(call),
    ...(call.repeat !== null && { MAESTRO_ITERATION: String(call.repeat.iteration) }),
  };
}

/** The JSON parts are spliced in as the texts they are: nobody here needs to parse them. */
function documentOf(call: StepCall, globalContext: string): string {
  const plain = JSON.stringify({
    workflow_id: call.workflowId,
    execution_id: call.executionId,
    node_id: call.nodeId,
    node_name: call.nodeName,
    attempt: call.attempt,
    idempotency_key: idempotencyKeyOf(call),
    artifact_dir: artifactDirOf(call),
  });
  return (
    `${plain.slice(0, -1)},"node_config":${call.nodeConfig},"dependency_outputs":${call.dependencyOutputs},` +
    `"dependency_artifacts":${call.dependencyArtifacts},${loopOf(call)}"global_context":${globalContext}` +
    `${call.item === null ? '' : `,"index":${call.index},"item":${call.item}`}}\n`
  );
}

function loopOf({ repeat }: StepCall): string {
  return repeat === null ? '' : `"iteration":${repeat.iteration},"previous_output":${repeat.previousOutput},`;
}

function lastLine(text: string): string {
  return text.slice(text.lastIndexOf('\n') + 1);
}
