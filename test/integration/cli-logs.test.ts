import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRuntime, loadWorkflowFile, type LogPage } from '../../src/runtime/index.js';
import { maestro, makeFolder, start, type Started } from './support/maestro.js';
import { until } from './support/runtimes.js';

const STEPS = `
import { setTimeout as delay } from 'node:timers/promises';
export async function talk() {
  console.log('to stdout');
  console.error('to stderr');
  await delay(5);
  process.stdout.write(Buffer.from('w\\u00f6rld'));
  process.stdout.write('636f646564', 'hex');
  await new Promise((resolve) => process.stderr.write(' and called back\\n', resolve));
}
export function twice({ attempt }) {
  console.log('attempt', attempt);
  if (attempt === 1) throw new Error('once');
}
export function late() { setTimeout(() => console.log('too late'), 20); console.log('in time'); }
export const wait = () => delay(100);
export function dies() { console.log('last words'); process.exit(3); }
export function storm() { for (let i = 0; i < 50_000; i++) console.log('line', i); }
export const quiet = () => 1;
`;
const node = (id: string, rest: string) => `  - { id: ${id}, name: ${id}, type: custom, ${rest} }\n`;
const TALK = `workflow: { id: talk, name: Talk, on_failure: continue }
nodes:
${node('talk', 'uses: ./steps.mjs#talk')}${node('quiet', 'uses: ./steps.mjs#quiet')}${node(
  'twice',
  'uses: ./steps.mjs#twice, retry_policy: { max_attempts: 2, retry_delay_seconds: 0.01 }',
)}${node('late', 'uses: ./steps.mjs#late')}${node('wait', 'dependencies: [late], uses: ./steps.mjs#wait')}${node(
  'dies',
  'uses: ./steps.mjs#dies',
)}${node('storm', 'uses: ./steps.mjs#storm')}${node(
  'command',
  `run: "printf 'part'; echo err >&2; sleep 0.2; echo ' whole'; seq 1 20000 >&2"`,
)}`;
/** Prints, then waits for a file. */
const LONG = `workflow: { id: long, name: Long }
nodes:
${node('long', `run: 'echo begun; while ! test -e go; do sleep 0.05; done; echo done'`)}`;

let folder: ReturnType<typeof makeFolder>;
const started: Started[] = [];
beforeEach(() => (folder = makeFolder({ 'steps.mjs': STEPS, 'talk.yaml': TALK, 'long.yaml': LONG })));
afterEach(async () => {
  for (const { child, finished } of started.splice(0)) {
    child.kill('SIGKILL');
    await finished;
  }
  folder.remove();
});
const run = (...args: string[]) => maestro(args, { cwd: folder.path });
const begin = (...args: string[]) => {
  const process = start(args, { cwd: folder.path });
  started.push(process);
  return process;
};
const lines = (out: string) => out.split('\n').slice(0, -1);
const talk = (...args: string[]) =>
  run('run', 'talk.yaml', '--id', 'e1', '--mode', 'dag_parallel', '--retries', ...args);

describe('maestro logs', () => {
  it('shows what commands and module steps wrote, by node and attempt', async () => {
    await talk();
    const logs = async (...args: string[]) => lines((await run('logs', 'e1', ...args)).out);
    const all = await logs();
    expect(all.filter((line) => /^(?:talk|quiet|late|wait|dies) /.test(line))).toEqual([
      'talk | to stdout',
      'talk | to stderr',
      'talk |  and called back',
      'talk | wörldcoded',
      'late | in time',
      'dies | last words',
    ]);
    expect(all.filter((line) => line.startsWith('twice'))).toEqual([
      'twice | attempt 1',
      'twice#2 | attempt 2',
    ]);
    expect(await logs('--node', 'twice', '--attempt', '2')).toEqual(['attempt 2']);
    expect(await logs('--node', 'talk', '--stream', 'stderr')).toEqual(['to stderr', ' and called back']);
    expect((await logs('--node', 'command', '--stream', 'stdout'))[0]).toBe('part whole');

    // Beginning and end of what was too much.
    const storm = await logs('--node', 'storm');
    expect(storm[0]).toBe('line 0');
    expect(storm.at(-1)).toBe('line 49999');
    expect(storm.filter((line) => line.startsWith('… '))).toEqual([
      expect.stringMatching(/^… \d+ characters cut …$/),
    ]);
    expect(storm.join('\n').length).toBeLessThan(66_000);
    expect(await logs('--node', 'storm', '--tail', '2')).toEqual(['line 49998', 'line 49999']);
    expect((await logs('--node', 'command', '--stream', 'stderr')).at(-1)).toBe('20000');

    const [line] = await logs('--node', 'twice', '--json', '--tail', '1');
    expect(JSON.parse(line)).toMatchObject({
      execution_id: 'e1',
      node_id: 'twice',
      attempt: 2,
      stream: 'stdout',
      text: 'attempt 2',
    });
  });

  it('keeps as much as it is told, or nothing', async () => {
    await talk('--max-log-chars', '200');
    expect((await run('logs', 'e1', '--node', 'storm')).out.length).toBeLessThan(300);
    await run('run', 'talk.yaml', '--id', 'e2', '--max-log-chars', '0');
    expect((await run('logs', 'e2')).out).toBe('');
  });

  it('follows an execution of another process, which stores what a step writes while it runs', async () => {
    const running = begin('run', 'long.yaml', '--id', 'e1');
    await running.until(/e1/);
    const following = begin('logs', 'e1', '--follow');
    await following.until(/begun/);
    writeFileSync(join(folder.path, 'go'), '');
    const { code, out } = await following.finished;
    expect({ code, lines: lines(out) }).toEqual({ code: 0, lines: ['long | begun', 'long | done'] });
    expect((await running.finished).code).toBe(0);
  });

  it('keeps what an attempt wrote that a kill -9 cut off, beside what its repetition wrote', async () => {
    const running = begin('run', 'long.yaml', '--id', 'e1');
    await until(async () => /begun/.test((await run('logs', 'e1')).out), 'the output is stored');
    running.child.kill('SIGKILL');
    await running.finished;
    writeFileSync(join(folder.path, 'go'), '');
    expect((await run('resume', 'e1')).code).toBe(0);
    expect(lines((await run('logs', 'e1', '--node', 'long')).out)).toEqual(['begun', 'begun', 'done']);
  });

  it('goes with its execution: into exports, and away', async () => {
    await talk();
    const before = (await run('logs', 'e1')).out;
    expect((await run('snapshot', 'export', 'e1', '-o', 'x.ndjson')).code).toBe(0);
    expect((await run('snapshot', 'import', 'x.ndjson', '--store', 'lmdb:other')).code).toBe(0);
    expect((await run('logs', 'e1', '--store', 'lmdb:other')).out).toBe(before);
    expect((await run('snapshot', 'verify', '--store', 'lmdb:other')).code).toBe(0);
    expect((await run('delete', 'e1')).code).toBe(0);
    expect((await run('snapshot', 'stat', '--json')).out).not.toContain('"logs"');
  });

  it('says what is wrong with a request', async () => {
    writeFileSync(join(folder.path, 'go'), '');
    await run('run', 'long.yaml', '--id', 'e1');
    const wrong: [string[], number, RegExp][] = [
      [['logs', 'nope'], 1, /EXECUTION_NOT_FOUND/],
      [['logs', 'e1', '--node', 'nope'], 1, /NODE_NOT_FOUND/],
      [['logs', 'e1', '--stream', 'stdin'], 2, /stdout, stderr/],
      [['logs', 'e1', '--tail', '0'], 2, /at least 1/],
      [['run', 'talk.yaml', '--max-log-chars', 'x'], 2, /whole number/],
    ];
    for (const [args, code, message] of wrong) {
      const { err, ...finished } = await run(...args);
      expect(finished, args.join(' ')).toEqual({ code, out: '' });
      expect(err).toMatch(message);
    }
  });
});

describe('runtime.logs', () => {
  it('pages through attempts, and keeps what a drain cut off', async () => {
    const { workflow } = await loadWorkflowFile(join(folder.path, 'talk.yaml'));
    const { workflow: long } = await loadWorkflowFile(join(folder.path, 'long.yaml'));
    const store = `lmdb:${join(folder.path, 'store')}`;
    const runtime = await createRuntime({ store, pool: { echo: false } });
    await (
      await runtime.start(workflow, {}, { executionId: 'e1' })
    ).result;
    const nodes: string[] = [];
    for (let page: LogPage | undefined; page === undefined || page.next !== undefined;) {
      page = await runtime.logs('e1', { limit: 2, after: page?.next });
      expect(page).toMatchObject({ execution_id: 'e1', status: 'failed' });
      nodes.push(...page.logs.map(({ node_id, attempt }) => `${node_id} ${attempt}`));
    }
    expect(nodes).toEqual(['talk 1', 'twice 1', 'twice 2', 'late 1', 'dies 1', 'storm 1', 'command 1']);
    await expect(runtime.logs('e1', { after: 'x' })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(runtime.logs('e1', { limit: 0 })).rejects.toMatchObject({ code: 'USAGE' });

    await runtime.start(long, {}, { executionId: 'e2' });
    await until(async () => (await runtime.logs('e2')).logs.length > 0, 'it writes');
    await runtime.close({ drainMs: 0, graceMs: 0 });
    const next = await createRuntime({ store, recover: false });
    expect((await next.logs('e2')).logs[0]).toMatchObject({
      node_id: 'long',
      entries: [{ text: 'begun\n' }],
    });
    await next.close();
  });
});
