import type { createLogUpdate } from 'log-update';
import type { ExecutionEvent } from '../../runtime/index.js';
import { formatSeconds } from '../format/text.js';
import type { Ui } from '../ui.js';
import { estimateSecondsLeft } from './eta.js';
import { drawFrame } from './frame.js';
import { describeEvent, describeProgress, LINE_PER_NODE_LIMIT } from './lines.js';
import { RunProgress } from './run-progress.js';

export interface ReporterOptions {
  readonly ui: Ui;
  readonly title: string;
  readonly totalNodes: number;
  /** Expected seconds by node, when they are known. */
  readonly weights?: ReadonlyMap<string, number>;
  /** When this process began with it, in epoch ms. */
  readonly sinceMs: number;
  readonly nowMs: () => number;
  /** What redraws a terminal in place; given only where there is one that can, so that others need not load it. */
  readonly createRedraw?: typeof createLogUpdate;
}

const FRAME_INTERVAL_MS = 100;
const LINE_INTERVAL_MS = 1000;
const MAX_RUNNING_LINES = 8;
/** Failures told one by one in a large execution; the rest is in the counts. */
const MAX_FAILURE_LINES = 20;

/** Shows a running execution while its events come in: redrawn on a terminal, line by line elsewhere. */
export class ProgressReporter {
  readonly progress: RunProgress;
  readonly #options: ReporterOptions;
  readonly #redraw: ReturnType<typeof createLogUpdate> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #notice: string | undefined;
  /** Weight that was done before: no part of this run's rate. */
  #weightBefore = 0;
  #lastLineMs = 0;
  #lastTenth = 0;
  #settledNodes = 0;
  #failuresTold = 0;

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.progress = new RunProgress(options.totalNodes, options.weights);
    this.#redraw = options.createRedraw?.(options.ui.progressStream);
  }

  /** Begins to show; `history` is counted, not told. */
  start(history: readonly ExecutionEvent[] = []): void {
    for (const event of history) this.progress.apply(event);
    this.#weightBefore = this.progress.weightDone;
    this.#lastTenth = this.#tenth();
    this.#lastLineMs = this.#options.nowMs();
    const [interval, tick] =
      this.#redraw === undefined
        ? [LINE_INTERVAL_MS, () => this.#sayProgress(false)]
        : [FRAME_INTERVAL_MS, () => this.#draw()];
    if (this.#redraw === undefined && this.#tellsNodes) return;
    this.#timer = setInterval(tick, interval);
    this.#timer.unref();
  }

  apply(event: ExecutionEvent): void {
    this.progress.apply(event);
    if (this.#redraw !== undefined) return;
    if (this.#tellsNodes) this.#say(describeEvent(event, this.#options.ui.noteColor));
    else this.#tellLarge(event);
  }

  /** A line that stays visible while the execution goes on, such as what Ctrl-C has begun. */
  setNotice(text: string): void {
    this.#notice = text;
    if (this.#redraw === undefined) this.#say(text);
    else this.#draw();
  }

  /** Removes what was drawn; the summary follows. */
  stop(): void {
    clearInterval(this.#timer);
    this.#redraw?.clear();
    this.#redraw?.done();
  }

  get #tellsNodes(): boolean {
    return this.#options.totalNodes <= LINE_PER_NODE_LIMIT;
  }

  get #elapsedSeconds(): number {
    return Math.max(0, this.#options.nowMs() - this.#options.sinceMs) / 1000;
  }

  #secondsLeft(): number | undefined {
    const { weightDone, totalWeight } = this.progress;
    return estimateSecondsLeft({
      elapsedSeconds: this.#elapsedSeconds,
      doneWeight: weightDone - this.#weightBefore,
      remainingWeight: totalWeight - weightDone,
    });
  }

  #tellLarge(event: ExecutionEvent): void {
    if (event.event_type === 'node_failed' && this.#failuresTold++ < MAX_FAILURE_LINES) {
      this.#say(describeEvent(event, this.#options.ui.noteColor));
    }
    // Looked at only when it can have grown: there is an event for every step of every node.
    if (this.progress.settledNodes === this.#settledNodes) return;
    this.#settledNodes = this.progress.settledNodes;
    if (this.#tenth() > this.#lastTenth) this.#sayProgress(true);
  }

  /** A summary line, at most one a second unless `due`. */
  #sayProgress(due: boolean): void {
    const nowMs = this.#options.nowMs();
    if (!due && nowMs - this.#lastLineMs < LINE_INTERVAL_MS * 0.9) return;
    this.#lastLineMs = nowMs;
    this.#lastTenth = this.#tenth();
    this.#say(describeProgress(this.progress, this.#secondsLeft()));
  }

  #tenth(): number {
    const { weightDone, totalWeight } = this.progress;
    return totalWeight > 0 ? Math.floor((10 * weightDone) / totalWeight) : 0;
  }

  #say(line: string | undefined): void {
    if (line === undefined) return;
    const stamp = `[${formatSeconds(this.#elapsedSeconds).padStart(6)}]`;
    this.#options.ui.progress(`${this.#options.ui.noteColor.dim(stamp)} ${line}`);
  }

  #draw(): void {
    const { ui, title, nowMs } = this.#options;
    this.#redraw?.(
      drawFrame(this.progress, {
        color: ui.noteColor,
        width: Math.max(20, (ui.progressStream.columns ?? 80) - 1),
        maxRunning: MAX_RUNNING_LINES,
        nowMs: nowMs(),
        elapsedSeconds: this.#elapsedSeconds,
        secondsLeft: this.#secondsLeft(),
        title,
        notice: this.#notice,
      }),
    );
  }
}
