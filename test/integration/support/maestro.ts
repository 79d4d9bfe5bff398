import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The command as it ships. */
export const MAIN = resolve(import.meta.dirname, '../../../dist/src/cli/main.js');

export interface Finished {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves when stdout and stderr together match. Rejects when the process ends first. */
  until(pattern: RegExp): Promise<RegExpMatchArray>;
}

export interface StartOptions {
  cwd: string;
  env?: Record<string, string>;
  /** Runs this instead of node with MAIN. */
  command?: [string, ...string[]];
}

/** Starts the command as a process of its own, without colours and flags of the caller's environment. */
export function start(args: readonly string[], options: StartOptions): Started {
  const [file, ...before] = options.command ?? [process.execPath, MAIN];
  const child = spawn(file, [...before, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TERM: 'xterm', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  let ended = false;
  let check: () => void = () => undefined;
  child.stdout.on('data', (chunk: Buffer) => ((out += chunk.toString()), check()));
  child.stderr.on('data', (chunk: Buffer) => ((err += chunk.toString()), check()));
  const finished = new Promise<Finished>((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) => {
      ended = true;
      check();
      done({ code, out, err });
    });
  });
  const until = (pattern: RegExp): Promise<RegExpMatchArray> =>
    new Promise((found, fail) => {
      check = () => {
        const match = pattern.exec(`${out}\n${err}`);
        if (match !== null) found(match);
        else if (ended) fail(new Error(`ended before ${pattern}:\n${out}\n${err}`));
      };
      check();
    });
  return { child, finished, until };
}

export function maestro(args: readonly string[], options: StartOptions): Promise<Finished> {
  return start(args, options).finished;
}

/** A folder that is removed after use, with these files in it. */
export function makeFolder(files: Readonly<Record<string, string>> = {}): {
  path: string;
  remove: () => void;
} {
  const path = mkdtempSync(join(tmpdir(), 'maestro-cli-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
