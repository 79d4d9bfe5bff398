import { existsSync, mkdtempSync, realpathSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createPool } from '../../src/pool/index.js';
import type { JobOutcome, Pool, StepRef } from '../../src/pool/port.js';
import { poolContract } from '../contracts/pool.contract.js';
import { brief, CANCELLED, PoolRecorder } from '../support/pool-recorder.js';
import { isRunning } from '../support/running.js';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'maestro-')));
afterAll(() => rmSync(folder, { recursive: true }));

const command = (text: string, env: Record<string, string> = {}): StepRef => ({
  kind: 'command',
  key: text,
  command: text,
  cwd: folder,
  env,
});

poolContract('commands', {
  create: () => createPool({ commands: 2 }),
  steps: {
    quick: command(`echo '{"done":true}'`),
    failing: command('exit 1'),
    wait: command('sleep 0.01'),
    honour: command('sleep 60'),
    ignore: command(`trap '' TERM; sleep 60 & while :; do wait; done`),
  },
  runs: 5,
});

describe('commands', () => {
  let recorder: PoolRecorder;
  let pool: Pool;
  beforeAll(() => {
    pool = createPool({ commands: 2, maxOutputBytes: 2_000_000 });
    recorder = new PoolRecorder(pool);
  });
  afterEach(() => {
    recorder.texts.stdout = '';
    recorder.texts.stderr = '';
  });
  afterAll(() => pool.close(0));
  const output = (outcome: JobOutcome): unknown => (outcome.ok ? JSON.parse(outcome.output) : outcome);

  it('get the call as JSON on stdin and in the environment', async () => {
    const artifactRoot = join(folder, 'artifacts');
    const artifactDir = join(artifactRoot, 'w', 'e', 'n');
    const outcome = await recorder.run(
      command(
        `read -r line; echo "$line" > "$MAESTRO_ARTIFACT_DIR/in.json"; ` +
          `echo "[\\"$MAESTRO_WORKFLOW_ID\\",\\"$MAESTRO_EXECUTION_ID\\",\\"$MAESTRO_NODE_ID\\",\\"$MAESTRO_ATTEMPT\\",` +
          `\\"$MAESTRO_IDEMPOTENCY_KEY\\",\\"$COLOUR\\",\\"$PWD\\"]"`,
        { COLOUR: 'blue' },
      ),
      { c: 1 },
      { nodeId: 'n', artifactRoot, dependencyOutputs: '{"a":{"x":1}}', globalContext: null },
    );
    expect(output(outcome)).toEqual(['w', 'e', 'n', '1', 'e/n/0', 'blue', folder]);
    expect(JSON.parse(readFileSync(join(artifactDir, 'in.json'), 'utf8'))).toEqual({
      workflow_id: 'w',
      execution_id: 'e',
      node_id: 'n',
      node_name: expect.any(String),
      node_config: { c: 1 },
      dependency_outputs: { a: { x: 1 } },
      dependency_artifacts: {},
      global_context: { kind: 'globalContext' },
      attempt: 1,
      idempotency_key: 'e/n/0',
      artifact_dir: artifactDir,
    });
  });

  it.each([
    [`echo log; echo '{"a":1}'; echo '{not json}'`, { a: 1 }],
    [`echo '{"a":1}'; echo '[2]'; echo done`, [2]],
    [`printf '{"artifacts":["f"]}'`, { artifacts: ['f'] }],
    [`echo plain`, { exit_code: 0, stdout: 'plain\n' }],
    [`true`, { exit_code: 0, stdout: '' }],
    [`printf 'é%.0s' 1 2 3; echo; echo null`, null],
  ])('output the last line of JSON, else their text: %s', async (text, expected) => {
    expect(output(await recorder.run(command(text)))).toEqual(expected);
  });

  it('register the artifacts they name', async () => {
    const outcome = await recorder.run(command(`echo '{"artifacts":["f"]}'`));
    expect(outcome).toMatchObject({ artifacts: ['f'] });
  });

  it('fail with their exit code and the end of stderr', async () => {
    const outcome = await recorder.run(command('echo before >&2; echo broken >&2; exit 3'));
    expect(outcome).toMatchObject({
      kind: 'error',
      error: {
        code: 'COMMAND_FAILED',
        message: 'the command exited with code 3: broken',
        details: { exit_code: 3, signal: null, stderr: 'before\nbroken' },
      },
    });
  });

  it('fail with the signal that ended them', async () => {
    const outcome = await recorder.run(command('kill -9 $$'));
    expect(outcome).toMatchObject({ error: { code: 'COMMAND_FAILED', details: { signal: 'SIGKILL' } } });
  });

  it('fail clearly when there is no such command, or no such folder', async () => {
    const missing = await recorder.run(command('no-such-command-here'));
    expect(missing).toMatchObject({ error: { message: expect.stringContaining('command not found') } });
    const nowhere = await recorder.run({ ...command('true'), cwd: join(folder, 'nowhere') } as StepRef);
    expect(nowhere).toMatchObject({
      error: { code: 'COMMAND_FAILED', message: expect.stringContaining('could not be started') },
    });
  });

  it('may leave their stdin unread', async () => {
    const nodeConfig = JSON.stringify({ text: 'x'.repeat(1_000_000) });
    const [outcome] = await recorder.dispatch([
      recorder.job(command('exec 0<&-; sleep 0.05'), { nodeConfig }),
    ]);
    expect(outcome.ok).toBe(true);
  });

  it('pass on all that they print, and keep a bounded part of it for the output', async () => {
    const outcome = await recorder.run(
      command(`echo first; yes 0123456789 | head -c 5000000; echo; echo last >&2`),
    );
    expect(outcome.ok).toBe(true);
    expect(recorder.texts.stdout.startsWith('first\n')).toBe(true);
    expect(recorder.texts.stdout.length).toBe('first\n'.length + 5_000_000 + 1);
    expect(recorder.texts.stderr).toBe('last\n');
    const { stdout } = output(
      await recorder.run(command(`echo first; head -c 5000000 /dev/zero | tr '\\0' 'a'; echo; echo last`)),
    ) as {
      stdout: string;
    };
    expect(stdout.length).toBeLessThan(1_100_000);
    expect(stdout).toMatch(/^first\na+\n… \d+ characters cut …\na+\nlast\n$/);
  });

  it('may not print a line of JSON over the limit', async () => {
    const text = `printf '{"a":"'; head -c 2100000 /dev/zero | tr '\\0' 'a'; printf '"}\\n'`;
    expect(brief(await recorder.run(command(text)))).toBe('error OUTPUT_TOO_LARGE');
    const within = text.replace('2100000', '1900000');
    expect(brief(await recorder.run(command(within)))).toBe('ok');
  });

  it('are ended with everything they have started', async () => {
    const survivor = join(folder, 'survivor');
    const job = await recorder.start(
      command(
        `(trap '' TERM; sleep 0.4; touch ${survivor}) & (sleep 0.4; touch ${survivor}) & echo up; wait`,
      ),
    );
    while (!recorder.texts.stdout.includes('up')) await delay(5);
    recorder.pool.cancel(job.id, CANCELLED, 50);
    expect(brief(await recorder.settledOf(job.id))).toBe('error STEP_CANCELLED');
    await delay(600);
    expect(existsSync(survivor)).toBe(false);
  });

  it('are not waited for when only processes they left behind hold their pipes', async () => {
    const survivor = join(folder, 'left-behind');
    const outcome = await recorder.run(command(`(sleep 2; touch ${survivor}) & echo '{"started":true}'`));
    expect(output(outcome)).toEqual({ started: true });
    await delay(2_200);
    expect(existsSync(survivor)).toBe(false);
  });

  it('stop the pool when too many are ended by signals that are not ours', async () => {
    const own = new PoolRecorder(createPool({ commands: 1, restart: { maxRestarts: 1, withinMs: 600_000 } }));
    const killed = async (): Promise<string> => brief(await own.run(command('kill -9 $$')));
    const job = await own.start(command('sleep 60'));
    own.pool.cancel(job.id, CANCELLED, 0);
    expect(brief(await own.settledOf(job.id))).toBe('error STEP_CANCELLED');
    expect(brief(await own.run(command('exit 1')))).toBe('error COMMAND_FAILED');
    expect([await killed(), own.failures]).toEqual(['error COMMAND_FAILED', []]);
    await killed();
    expect(own.failures).toMatchObject([
      {
        code: 'POOL_STOPPED',
        message: expect.stringContaining('commands keep dying (more than 1 within 600 s)'),
      },
    ]);
    expect(brief(await own.run(command('true')))).toBe('lost POOL_STOPPED');
    await own.pool.close(0);
  });

  it('leave no orphan at close', async () => {
    const own = createPool();
    const ownRecorder = new PoolRecorder(own);
    const job = await ownRecorder.start(
      command(`trap '' TERM; sleep 30 & echo $! > pid; echo up; while :; do wait; done`),
    );
    while (!ownRecorder.texts.stdout.includes('up')) await delay(5);
    await own.close(30);
    expect(ownRecorder.outcomes.has(job.id)).toBe(false);
    const pid = readFileSync(join(folder, 'pid'), 'utf8').trim();
    await expect.poll(() => isRunning(pid)).toBe(false);
  });
});
