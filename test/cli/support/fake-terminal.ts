import { PassThrough } from 'node:stream';
import type { OutputStream, Terminal } from '../../../src/cli/terminal.js';

export interface FakeTerminal extends Terminal {
  /** Everything written to stdout so far. */
  readonly out: () => string;
  readonly err: () => string;
  /** Sends a signal, as Ctrl-C would. */
  readonly interrupt: () => void;
  readonly exits: number[];
}

/** A terminal without a process: what is written is kept, signals are sent by hand, time stands still. */
export function fakeTerminal(
  options: { env?: Terminal['env']; cwd?: string; isTTY?: boolean } = {},
): FakeTerminal {
  const stdout = recorder(options.isTTY);
  const stderr = recorder(options.isTTY);
  const handlers = new Set<() => void>();
  const exits: number[] = [];
  return {
    stdout: stdout.stream,
    stderr: stderr.stream,
    env: options.env ?? {},
    cwd: options.cwd ?? process.cwd(),
    nowMs: () => Date.parse('2026-01-02T03:04:05Z'),
    onInterrupt(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    exitNow: (code) => void exits.push(code),
    out: stdout.text,
    err: stderr.text,
    interrupt: () => handlers.forEach((handler) => handler()),
    exits,
  };
}

function recorder(isTTY = false): { stream: OutputStream; text: () => string } {
  const chunks: string[] = [];
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 80 });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  return { stream, text: () => chunks.join('') };
}
