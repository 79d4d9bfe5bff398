import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAIN } from '../integration/support/maestro.js';

/** A command of a guide, and what the guide says it prints. */
export interface GuideStep {
  /** From 1. */
  readonly line: number;
  readonly command: string;
  readonly expected: readonly string[];
}

/** What stands under one second-level heading: run in order in one shell, in a folder of its own. */
export interface GuideSection {
  readonly title: string;
  readonly steps: readonly GuideStep[];
}

/** Reads the `console` blocks of a guide: lines after `$ ` are commands (`> ` goes on), others their output. */
export function guideSections(text: string): GuideSection[] {
  const sections: { title: string; steps: { line: number; command: string; expected: string[] }[] }[] = [];
  let fence: 'console' | 'other' | undefined;
  text.split('\n').forEach((line, index) => {
    if (fence === undefined && line.startsWith('## ')) sections.push({ title: line.slice(3), steps: [] });
    else if (line.startsWith('```'))
      fence = fence !== undefined ? undefined : line === '```console' ? 'console' : 'other';
    else if (fence === 'console') {
      const steps = sections.at(-1)!.steps;
      const last = steps.at(-1);
      if (line.startsWith('$ ')) steps.push({ line: index + 1, command: line.slice(2), expected: [] });
      else if (line.startsWith('> ') && last?.expected.length === 0) last.command += `\n${line.slice(2)}`;
      else last?.expected.push(line);
    }
  });
  return sections.filter(({ steps }) => steps.length > 0);
}

/** Runs a section's commands. @returns what each printed, stdout and stderr as a reader sees them */
export async function runSection({ steps }: GuideSection): Promise<string[][]> {
  const folder = mkdtempSync(join(tmpdir(), 'maestro-guide-'));
  const port = await freePort();
  try {
    const work = join(folder, 'work');
    const bin = join(folder, 'bin');
    for (const path of [work, bin]) mkdirSync(path);
    writeFileSync(join(bin, 'maestro'), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
    chmodSync(join(bin, 'maestro'), 0o755);
    const script = steps
      .map(({ command }, i) => `printf '\\036%d\\n' ${i}\n${onPort(command, port)}\n`)
      .join('');
    const env = { PATH: `${bin}:${process.env.PATH}`, HOME: work, LANG: 'C.UTF-8', CI: 'true' };
    const printed = await shell(`exec 2>&1\n${script}`, work, env);
    return outputs(printed, steps.length).map((text) =>
      text.replaceAll(String(port), '8000').replaceAll(work, '/srv/maestro').replace(/\n$/, '').split('\n'),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The guide's port is the default one; the test takes one that is free. */
function onPort(command: string, port: number): string {
  const given = command.replaceAll('8000', String(port));
  return given.replace(/\bmaestro serve(?!.*--port)/, `maestro serve --port ${port}`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Runs a script in a process group of its own, which is ended with it: a guide may leave a service behind. */
function shell(script: string, cwd: string, env: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', script], {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    // A loop that waits in vain: what was printed before is compared, and says where it stands.
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.on('error', reject);
    child.on('exit', () => {
      clearTimeout(timer);
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // Nobody is left.
      }
    });
    child.on('close', () => resolve(out));
  });
}

const LIMIT_MS = 240_000;

function outputs(printed: string, count: number): string[] {
  const parts = printed.split(/\x1e\d+\n/).slice(1);
  return Array.from({ length: count }, (_, i) => parts[i] ?? '(the shell had ended)');
}

/** What differs from run to run, by its kind. */
const VARYING: [RegExp, string][] = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>'],
  [/\b[0-9a-f]{64}\b/g, '<sha256>'],
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>'],
  [/\b\d+(?:\.\d+)?\s?(?:ms|s|m|h|min)\b/g, '<duration>'],
  [/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, '<time>'],
  [/just now|<duration> ago/g, '<ago>'],
  [/\b\d+(?:\.\d+)? ?(?:B|KiB|MiB|GiB)\b/g, '<size>'],
  [
    /("(?:\w+_seconds|execution_time|seconds|pid|free_bytes|rss_bytes|created_at|updated_at|elapsed)":\s*)[\d.]+/g,
    '$1<number>',
  ],
  [/\b(?:pid|process) \d+/gi, '<pid>'],
  [/\bv?\d+\.\d+\.\d+\b/g, '<version>'],
  [/\d+\.\d+×/g, '<ratio>'],
  [/[─-╿]+/g, '<line>'],
  [/\s+/g, ' '],
];

/** The same for any two runs of the same thing. */
export function normalised(line: string): string {
  return VARYING.reduce((text, [pattern, kind]) => text.replace(pattern, kind), line).trim();
}

/** Whether output is what the guide shows: `…` in a line is any text, alone in a line any lines. */
export function matches(expected: readonly string[], actual: readonly string[]): boolean {
  const [first, ...rest] = expected;
  if (first === undefined) return actual.length === 0 || (actual.length === 1 && actual[0] === '');
  if (first.trim() === '…') {
    for (let skipped = 0; skipped <= actual.length; skipped++)
      if (rest.length === 0 || matches(rest, actual.slice(skipped))) return true;
    return false;
  }
  if (actual.length === 0) return false;
  const pattern = normalised(first)
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return (
    new RegExp(`^${pattern}$`).test(normalised(actual[0])) &&
    (rest.length === 0 ? actual.length === 1 : matches(rest, actual.slice(1)))
  );
}

/** The guide with the output of each step as it is now. */
export function withOutputs(text: string, results: ReadonlyMap<GuideStep, readonly string[]>): string {
  const lines = text.split('\n');
  for (const [{ line, command, expected }, actual] of [...results].sort(([a], [b]) => b.line - a.line)) {
    const shown = actual.length === 1 && actual[0] === '' ? [] : actual;
    lines.splice(line - 1 + command.split('\n').length, expected.length, ...shown);
  }
  return lines.join('\n');
}
