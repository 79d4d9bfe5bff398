import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRemoteRuntime } from '../../src/runtime/remote/index.js';
import { workflowFromSpec } from '../../src/runtime/index.js';
import { makeFolder, start, type Started } from './support/maestro.js';
import { until } from './support/runtimes.js';

const MIXED = `workflow: { id: mixed, name: Mixed, on_failure: continue }
nodes:
  - { id: thread, name: thread, type: custom, uses: 'maestro:noop#task' }
  - { id: command, name: command, type: custom, run: 'true' }
  - { id: slow, name: slow, type: custom, run: 'sleep 60', timeout_seconds: 0.2 }
  - { id: blocked, name: blocked, type: custom, run: 'true', dependencies: [slow] }
`;

let folder: ReturnType<typeof makeFolder>;
let service: Started | undefined;
beforeEach(() => (folder = makeFolder({ 'mixed.yaml': MIXED })));
afterEach(async () => {
  service?.child.kill('SIGKILL');
  await service?.finished;
  folder.remove();
});

// Where tests are what decides, a missing command is a failure and no reason to skip.
const hasPromtool = spawnSync('promtool', ['--version']).status === 0 || process.env.CI === 'true';

describe('the metrics of a running service', () => {
  it('pass promtool check metrics', async (ctx) => {
    if (!hasPromtool) ctx.skip('promtool is not installed; it is part of the Debian package prometheus');
    service = start(['serve', '--port', '0', '--workflows', 'mixed.yaml'], { cwd: folder.path });
    const [, url] = await service.until(/listening on (http:\/\/\S+)/);
    const scrape = async () => (await fetch(`${url}/metrics`)).text();
    const lint = (text: string) => {
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text });
      return { status, said: `${String(stdout)}${String(stderr)}` };
    };
    // Before anything ran, and after everything that makes a series did.
    expect(lint(await scrape())).toEqual({ status: 0, said: '' });
    const begun = await fetch(`${url}/api/workflows/mixed/execute`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect(begun.status).toBe(201);
    await until(
      async () => /^maestro_executions_ended_total\{status="failed"\} 1$/m.test(await scrape()),
      'the execution ends',
    );
    const text = await scrape();
    expect(lint(text)).toEqual({ status: 0, said: '' });
    for (const sample of [
      'maestro_node_duration_seconds_count{outcome="completed"} 2',
      'maestro_node_duration_seconds_count{outcome="timed_out"} 1',
      'maestro_nodes_ended_total{status="blocked"} 1',
      'maestro_workers{worker="thread"} 1',
    ])
      expect(text).toContain(`\n${sample}\n`);
    expect(text).toMatch(/^maestro_store_size_bytes [1-9]/m);
    // The tool does refuse: what passes above has been looked at.
    expect(lint(text.replaceAll('maestro_commits_total', 'maestro_commits')).status).not.toBe(0);
  });
});

describe('the metrics of a runtime in a thread of its own', () => {
  it('cross as they are', async () => {
    const runtime = await createRemoteRuntime({ store: 'memory:' });
    try {
      const node = { id: 'a', name: 'a', type: 'custom', uses: 'maestro:noop#task' } as const;
      const workflow = workflowFromSpec({ workflow: { id: 'w', name: 'w' }, nodes: [node] });
      await (
        await runtime.start(workflow)
      ).result;
      expect(await runtime.metrics()).toMatchObject({
        executions: { started: 1, completed: 1 },
        nodes: { attempts: 1, completed: 1 },
        attemptSeconds: { completed: { count: 1 } },
        stored: { completed: 1 },
        storeSpace: null,
      });
    } finally {
      await runtime.close();
    }
  });
});
