import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach } from 'vitest';

const PROGRAM = join(import.meta.dirname, '../../fixtures/runtime/program.mjs');

/** One line of the program: see there. */
export interface Fact {
  id?: string;
  pid?: number;
  status?: string;
  began?: string;
  key?: string;
  attempt?: number;
  event?: string;
  node?: string;
  recovered?: { executionId: string; error?: { code: string } }[];
  handles?: string[];
}

export interface Program {
  readonly facts: Fact[];
  /** Resolves with the first fact that fits; rejects when the process ends before. */
  until(fits: (fact: Fact) => boolean): Promise<Fact>;
  /** The exit code, once the process has ended and everything it said has arrived. */
  readonly ended: Promise<number | null>;
  /** SIGKILL, and its end. */
  kill(): Promise<void>;
}

/** Call at a file's top level: starts the program; what still runs after a test is killed. */
export function programs(): (command: string, store: string) => Program {
  const running = new Set<Program>();
  afterEach(async () => {
    await Promise.all([...running].map((program) => program.kill()));
  });
  return (command, store) => {
    const program = startProgram(command, store);
    running.add(program);
    void program.ended.then(() => running.delete(program));
    return program;
  };
}

function startProgram(command: string, store: string): Program {
  const child = spawn(process.execPath, [PROGRAM, command, store], { stdio: ['ignore', 'pipe', 'pipe'] });
  const facts: Fact[] = [];
  let errors = '';
  let isOver = false;
  const checks = new Set<() => void>();
  const check = (): void => checks.forEach((each) => each());
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  createInterface({ input: child.stdout }).on('line', (line) => {
    facts.push(JSON.parse(line) as Fact);
    check();
  });
  const ended = once(child, 'close').then(([code]) => {
    isOver = true;
    check();
    return code as number | null;
  });
  return {
    facts,
    ended,
    until: (fits) =>
      new Promise((found, fail) => {
        const look = (): void => {
          const fact = facts.find(fits);
          if (fact !== undefined) found(fact);
          else if (isOver) fail(new Error(`it ended: ${JSON.stringify(facts)}\n${errors}`));
          else return;
          checks.delete(look);
        };
        checks.add(look);
        look();
      }),
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
