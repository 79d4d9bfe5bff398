import type { createLogUpdate } from 'log-update';
import type { SimulationProgress } from '../../simulation/index.js';
import { count, formatSeconds } from '../format/text.js';
import type { Ui } from '../ui.js';

const REDRAW_MS = 100;
const LINE_MS = 5_000;

/** Shows how far a simulation is: one line redrawn on a terminal, a line now and then elsewhere. */
export class SimulationProgressLine {
  private readonly beganAtMs: number;
  private shownAtMs: number;
  private readonly redraw: ReturnType<typeof createLogUpdate> | undefined;

  constructor(
    private readonly ui: Ui,
    private readonly nowMs: () => number,
    createRedraw: typeof createLogUpdate | undefined,
  ) {
    this.beganAtMs = nowMs();
    this.shownAtMs = this.beganAtMs;
    this.redraw = createRedraw?.(ui.progressStream);
  }

  show({ run, wanted, surprises }: SimulationProgress): void {
    const nowMs = this.nowMs();
    if (nowMs - this.shownAtMs < (this.redraw === undefined ? LINE_MS : REDRAW_MS)) return;
    this.shownAtMs = nowMs;
    const left = ((nowMs - this.beganAtMs) / run) * (wanted - run);
    const found = surprises === 0 ? '' : `, ${count(surprises, 'surprise')}`;
    const text = `${run} of ${count(wanted, 'seed')}, ${formatSeconds(left / 1000)} left${found}`;
    if (this.redraw === undefined) this.ui.progress(text);
    else this.redraw(text);
  }

  clear(): void {
    this.redraw?.clear();
    this.redraw?.done();
  }
}
