import picocolors from 'picocolors';
import { createLogUpdate } from 'log-update';
import { describe, expect, it } from 'vitest';
import { drawFrame } from '../../src/cli/progress/frame.js';
import { ProgressReporter } from '../../src/cli/progress/reporter.js';
import { RunProgress } from '../../src/cli/progress/run-progress.js';
import { visibleWidth } from '../../src/cli/format/text.js';
import { Ui } from '../../src/cli/ui.js';
import { canRedraw, wantsColor } from '../../src/cli/terminal.js';
import type { EventType, ExecutionEvent } from '../../src/observe/events.js';
import { fakeTerminal } from './support/fake-terminal.js';

const T0 = Date.parse('2026-01-02T03:04:05Z');

function event(
  event_type: EventType,
  node_id: string,
  data: Record<string, unknown> = {},
  atMs = T0,
): ExecutionEvent {
  return {
    event_type,
    workflow_id: 'w',
    execution_id: 'e',
    node_id,
    timestamp: new Date(atMs).toISOString(),
    data,
  };
}

describe('drawFrame', () => {
  function frame(width: number, colors = false): string[] {
    const progress = new RunProgress(40);
    for (let i = 0; i < 10; i++) {
      progress.apply(event('node_started', `done${i}`));
      progress.apply(event('node_completed', `done${i}`, { execution_time_seconds: 1 }));
    }
    for (let i = 0; i < 12; i++)
      progress.apply(event('node_started', `a-node-with-a-rather-long-name-${i}`, {}, T0 - 2000));
    progress.apply(
      event('node_progress', 'a-node-with-a-rather-long-name-0', { fraction: 0.5, message: 'half\nway' }),
    );
    return drawFrame(progress, {
      color: picocolors.createColors(colors),
      width,
      maxRunning: 3,
      nowMs: T0,
      elapsedSeconds: 12.5,
      secondsLeft: 30,
      title: 'a workflow with a long title',
      notice: 'pausing',
    }).split('\n');
  }

  it('shows share, counts, time left and who runs', () => {
    const lines = frame(110);
    expect(lines[0]).toMatch(
      /^a workflow with a long title █+░+ {2}26% 10\/40 · 12\.5s · about 30\.0s left$/,
    );
    expect(lines[1]).toBe('  pending 18 · running 12 · completed 10');
    expect(lines[2]).toBe('  ▸ a-node-with-a-rather-long-name-0  2.00s   50% half way');
    expect(lines.slice(5)).toEqual(['    … and 9 more running', '  pausing']);
  });

  it.each([20, 30, 40, 60, 79, 200])('fits %d columns, with and without colours', (width) => {
    for (const colors of [false, true]) {
      for (const line of frame(width, colors)) expect(visibleWidth(line)).toBeLessThanOrEqual(width);
    }
  });
});

describe('ProgressReporter on plain output', () => {
  function reporterFor(
    totalNodes: number,
    options: { history?: ExecutionEvent[]; quiet?: boolean; json?: boolean } = {},
  ) {
    const terminal = fakeTerminal();
    const ui = new Ui(terminal, {
      json: options.json ?? false,
      quiet: options.quiet ?? false,
      verbose: false,
    });
    let nowMs = T0;
    const reporter = new ProgressReporter({
      ui,
      title: 'w',
      totalNodes,
      sinceMs: T0,
      nowMs: () => nowMs,
    });
    reporter.start(options.history);
    return { reporter, terminal, advance: (ms: number) => (nowMs += ms) };
  }

  it('tells every node of a small execution', () => {
    const { reporter, terminal, advance } = reporterFor(2);
    reporter.apply(event('node_started', 'a', { attempt: 1, max_attempts: 2 }));
    advance(1500);
    reporter.apply(event('node_failed', 'a', { error: 'no', will_retry: true }));
    reporter.apply(event('node_started', 'a', { attempt: 2, max_attempts: 2 }));
    reporter.apply(event('node_completed', 'a', { execution_time_seconds: 0.5 }));
    reporter.stop();
    expect(terminal.err().split('\n')).toEqual([
      '[    0s] started a',
      '[ 1.50s] failed a: no (will be retried)',
      '[ 1.50s] started a (attempt 2 of 2)',
      '[ 1.50s] completed a in 0.50s',
      '',
    ]);
    expect(terminal.out()).toBe('');
  });

  it('does not tell history', () => {
    const { reporter, terminal } = reporterFor(2, { history: [event('node_completed', 'a', {}, T0 - 5000)] });
    reporter.apply(event('node_started', 'b', {}, T0 + 1));
    expect(terminal.err()).toBe('[    0s] started b\n');
    expect(reporter.progress.counts.completed).toBe(1);
    reporter.stop();
  });

  it('sums up a large execution at each tenth, and names failures', () => {
    const { reporter, terminal } = reporterFor(200);
    for (let i = 0; i < 200; i++) {
      reporter.apply(event('node_started', `n${i}`));
      if (i === 7) reporter.apply(event('node_failed', `n${i}`, { error: 'no', will_retry: false }));
      else reporter.apply(event('node_completed', `n${i}`, { execution_time_seconds: 0.1 }));
    }
    reporter.stop();
    const lines = terminal.err().trimEnd().split('\n');
    expect(lines).toHaveLength(11);
    expect(lines[0]).toContain('failed n7: no');
    expect(lines[1]).toContain(' 10% 20/200');
    expect(lines[10]).toContain('100% 200/200 · completed 199 · failed 1');
  });

  it.each([{ quiet: true }, { json: true }])('is silent with %o', (options) => {
    const { reporter, terminal } = reporterFor(1, options);
    reporter.apply(event('node_started', 'a'));
    reporter.setNotice('pausing');
    reporter.stop();
    expect(terminal.err() + terminal.out()).toBe('');
  });

  it('draws on a terminal and leaves nothing behind', () => {
    const terminal = fakeTerminal({ isTTY: true });
    const ui = new Ui(terminal, { json: false, quiet: false, verbose: false });
    const reporter = new ProgressReporter({
      ui,
      title: 'w',
      totalNodes: 1,
      sinceMs: T0,
      nowMs: () => T0,
      createRedraw: createLogUpdate,
    });
    reporter.start();
    reporter.apply(event('node_started', 'a'));
    reporter.setNotice('pausing now');
    expect(terminal.err()).toContain('pausing now');
    reporter.stop();
    expect(terminal.err()).toMatch(/\u001b\[2K/);
  });
});

describe('what a terminal can do', () => {
  const tty = fakeTerminal({ isTTY: true }).stdout;
  const pipe = fakeTerminal().stdout;
  it('NO_COLOR beats FORCE_COLOR beats the terminal', () => {
    expect(wantsColor({}, tty)).toBe(true);
    expect(wantsColor({ TERM: 'dumb' }, tty)).toBe(false);
    expect(wantsColor({}, pipe)).toBe(false);
    expect(wantsColor({ FORCE_COLOR: '1' }, pipe)).toBe(true);
    expect(wantsColor({ FORCE_COLOR: '0' }, tty)).toBe(false);
    expect(wantsColor({ FORCE_COLOR: '1', NO_COLOR: '1' }, tty)).toBe(false);
  });
  it('nothing is redrawn in pipes, dumb terminals and CI', () => {
    expect(canRedraw({}, tty)).toBe(true);
    expect([canRedraw({}, pipe), canRedraw({ TERM: 'dumb' }, tty), canRedraw({ CI: 'true' }, tty)]).toEqual([
      false,
      false,
      false,
    ]);
  });
});
