import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/program.js';
import { fakeTerminal, type FakeTerminal } from './support/fake-terminal.js';

let folder: string;
let spec: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'maestro-simulate-'));
  spec = join(folder, 'flow.yaml');
  writeFileSync(
    spec,
    'workflow: { id: flow, name: Flow }\nnodes: [{ id: a, name: a, type: custom, run: "false" }]\n',
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A terminal whose clock goes on a second each time it is looked at. */
function ticking(terminal: FakeTerminal): FakeTerminal {
  let nowMs = 0;
  return Object.assign(terminal, { nowMs: () => (nowMs += 1000) });
}

/** Runs the command and interrupts it once it has told of its progress. */
async function interrupted(terminal: FakeTerminal, args: readonly string[]): Promise<number> {
  const done = runCommandLine(['simulate', spec, '--seeds', '1000000', ...args], terminal);
  while (!/of 1000000 seeds/.test(terminal.err())) await new Promise((resolve) => setImmediate(resolve));
  terminal.interrupt();
  return done;
}

describe('maestro simulate', () => {
  it('reports what was played when it is interrupted', async () => {
    const terminal = ticking(fakeTerminal());
    expect(await interrupted(terminal, [])).toBe(130);
    expect(terminal.err()).toMatch(/^\d+ of 1000000 seeds, \S+ left\n/);
    const [, run] = /interrupted: (\d+) of 1000000 seeds were played/.exec(terminal.out())!;
    expect(Number(run)).toBeGreaterThan(0);
    expect(terminal.out()).toContain(`${run} completed`);
    expect(terminal.exits).toEqual([]);
  });

  it('redraws its progress on a terminal, and takes it away', async () => {
    const terminal = ticking(fakeTerminal({ isTTY: true }));
    expect(await interrupted(terminal, [])).toBe(130);
    expect(terminal.err()).toMatch(/\u001b\[/);
    expect(terminal.out()).toContain('surprising ends: none');
  });

  it('writes nothing but the document with --json', async () => {
    const terminal = ticking(fakeTerminal());
    expect(await runCommandLine(['simulate', spec, '--seeds', '30', '--json'], terminal)).toBe(0);
    expect(terminal.err()).toBe('');
    expect(JSON.parse(terminal.out())).toMatchObject({
      ...{ workflow_id: 'flow', seeds: { first: 1, wanted: 30, run: 30 }, interrupted: false },
      ...{ ends: { completed: 30 }, surprises: [], unreachable: [], faults: [], workers: 4 },
    });
  });

  it('tells how to play a seed again, with every option that matters', async () => {
    const outcomes = join(folder, 'slow.yaml');
    writeFileSync(outcomes, 'a: { duration_seconds: 100 }\n');
    const terminal = fakeTerminal();
    const args = [
      '--faults',
      'crash',
      '--workers',
      '2',
      '--outcomes',
      outcomes,
      '--mode',
      'linear',
      '--no-retries',
    ];
    const more = [
      '--context',
      '{"a": 1}',
      '--limit',
      '50s',
      '--at',
      '2031-01-01',
      '--seeds',
      '3',
      '--seed',
      '7',
    ];
    expect(await runCommandLine(['simulate', spec, ...args, ...more], terminal)).toBe(1);
    const again = `maestro simulate ${spec} --seeds 1 --seed 7 --faults crash --workers 2 --outcomes ${outcomes} --mode linear --no-retries --context '{"a": 1}' --limit 50s --at 2031-01-01T00:00:00.000Z`;
    expect(terminal.out()).toContain(`in 3 of 3; again: ${again}\n`);
    // What is printed can be typed.
    const words = again.split(' ').slice(1);
    words.splice(words.indexOf(`'{"a":`), 2, '{"a": 1}');
    const once = fakeTerminal();
    expect(await runCommandLine(words, once)).toBe(1);
    expect(once.out()).toMatch(
      /\+0s +a starts\n[^]*did_not_end: it is running when the simulated time is over: "a" is running/,
    );
  });
});
