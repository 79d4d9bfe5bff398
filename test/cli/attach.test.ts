import { describe, expect, it } from 'vitest';
import { attach } from '../../src/cli/attach.js';
import { EventFeed } from '../../src/cli/event-feed.js';
import type { CommandContext } from '../../src/cli/session.js';
import { locateStore } from '../../src/cli/store-location.js';
import { Ui } from '../../src/cli/ui.js';
import type { RunSummary } from '../../src/cli/report/run-summary.js';
import { MaestroError } from '../../src/base/errors.js';
import type { Runtime } from '../../src/runtime/types.js';
import type { WorkflowStatus } from '../../src/base/model.js';
import { documentOf } from './support/documents.js';
import { fakeExecution, fakeRuntime } from './support/fake-runtime.js';
import { fakeTerminal } from './support/fake-terminal.js';

function start(options: {
  status: WorkflowStatus;
  json?: boolean;
  store?: string;
  runtime?: Partial<Runtime>;
}) {
  const terminal = fakeTerminal();
  const ui = new Ui(terminal, { json: options.json ?? false, quiet: false, verbose: false });
  const context: CommandContext = {
    terminal,
    ui,
    globals: {},
    store: locateStore(options.store ?? 'lmdb:my store', {}, '/w'),
  };
  const nodes = { a: { status: 'completed', seconds: 1 } } as const;
  const runtime = fakeRuntime([documentOf({ status: options.status, seconds: 2, nodes })], options.runtime);
  const run = fakeExecution('e1');
  const feed = new EventFeed();
  const done = attach(context, runtime, run.execution, {
    title: 'wf',
    totalNodes: 1,
    durability: 'sync',
    sinceMs: terminal.nowMs(),
    fresh: true,
    feed,
  });
  return { terminal, runtime, done, emit: feed.push, end: run.end };
}

const started = {
  event_type: 'node_started',
  workflow_id: 'wf',
  execution_id: 'e1',
  node_id: 'a',
  timestamp: '2026-01-02T03:04:06Z',
  data: { attempt: 1 },
} as const;

describe('attach', () => {
  it('ends with 0 and a summary when the execution completes', async () => {
    const { done, emit, end, terminal } = start({ status: 'completed' });
    emit(started);
    emit({ ...started, event_type: 'node_completed', data: { execution_time_seconds: 0.25 } });
    end({ status: 'completed' });
    expect(await done).toBe(0);
    expect(terminal.out()).toContain('completed wf: 1/1 node in 2.00s');
    expect(terminal.out()).toContain('serial time  0.25s');
  });

  it('prints one document with --json', async () => {
    const { done, end, terminal } = start({ status: 'failed', json: true });
    end({ status: 'failed' });
    expect(await done).toBe(1);
    const summary = JSON.parse(terminal.out()) as RunSummary;
    expect(summary).toMatchObject({
      status: 'failed',
      continue_with: "maestro retry e1 --store 'lmdb:my store'",
    });
  });

  it('offers no continuation for a memory store', async () => {
    const { done, end, terminal } = start({ status: 'paused', json: true, store: 'memory:' });
    end({ status: 'paused' });
    expect(await done).toBe(130);
    expect((JSON.parse(terminal.out()) as RunSummary).continue_with).toBeNull();
  });

  it('pauses at the first Ctrl-C and says what it waits for and how to go on', async () => {
    const { done, emit, end, terminal, runtime } = start({ status: 'paused' });
    emit(started);
    terminal.interrupt();
    expect(runtime.calls).toEqual(['pause e1']);
    expect(terminal.err()).toContain('pausing, waiting for 1 running node; press Ctrl-C again to kill');
    end({ status: 'paused' });
    expect(await done).toBe(130);
    expect(terminal.out()).toContain("continue with: maestro resume e1 --store 'lmdb:my store'");
    expect(terminal.exits).toEqual([]);
  });

  it('closes the runtime and leaves at the second Ctrl-C', async () => {
    const { terminal, runtime } = start({ status: 'running' });
    terminal.interrupt();
    terminal.interrupt();
    await new Promise(setImmediate);
    expect(runtime.calls).toEqual(['pause e1', 'close']);
    expect(terminal.exits).toEqual([130]);
    expect(terminal.err()).toContain('killed; resume with: maestro resume e1');
  });

  it('leaves at the third Ctrl-C even when the runtime hangs', () => {
    const { terminal } = start({ status: 'running', runtime: { close: () => new Promise(() => undefined) } });
    for (let i = 0; i < 3; i++) terminal.interrupt();
    expect(terminal.exits).toEqual([130]);
  });

  it('ends as the execution did when it ended in the moment of Ctrl-C', async () => {
    const pause = () => Promise.reject(new MaestroError('EXECUTION_STATE', 'already completed'));
    const { done, end, terminal } = start({ status: 'completed', runtime: { pause } });
    terminal.interrupt();
    end({ status: 'completed' });
    expect(await done).toBe(0);
    expect(terminal.err()).not.toContain('error');
  });

  it('passes on what kills the runtime, and gives the signals back', async () => {
    const failing = fakeExecution('e1');
    const terminal = fakeTerminal();
    const context: CommandContext = {
      terminal,
      ui: new Ui(terminal, { json: false, quiet: true, verbose: false }),
      globals: {},
      store: locateStore(undefined, {}, '/w'),
    };
    const runtime = fakeRuntime([]);
    const execution = {
      ...failing.execution,
      result: Promise.reject(new MaestroError('STORE_COMMIT', 'disk full')),
    };
    const done = attach(context, runtime, execution, {
      title: 'wf',
      totalNodes: 1,
      durability: 'sync',
      sinceMs: 0,
      fresh: true,
    });
    await expect(done).rejects.toMatchObject({ code: 'STORE_COMMIT' });
    terminal.interrupt();
    expect(runtime.calls).toEqual([]);
  });
});
