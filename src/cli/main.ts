#!/usr/bin/env node
import process from 'node:process';
import { runCommandLine } from './program.js';
import type { Terminal } from './terminal.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

// A reader that goes away (`| head`) ends the output, not the work: the stream stops being writable.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') process.exitCode = 2;
  });
}

const terminal: Terminal = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  nowMs: () => Date.now(),
  onInterrupt(handler) {
    for (const signal of SIGNALS) process.on(signal, handler);
    return () => {
      for (const signal of SIGNALS) process.off(signal, handler);
    };
  },
  exitNow: (code) => process.exit(code),
};

// The exit code is only set: what is still being written to a pipe must arrive.
process.exitCode = await runCommandLine(process.argv.slice(2), terminal);
