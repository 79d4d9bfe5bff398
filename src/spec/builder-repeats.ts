import { compact } from './compact.js';
import type { RepeatSpec } from './types.js';

/** A node that runs again until something holds; see RepeatSpec. */
export interface RepeatOptions {
  /** CEL like `condition`; also reads `node.output` and `node.iteration`. */
  until: string;
  /** Iterations in all, the first included. */
  max: number;
  /** Between the end of an iteration and the next. Default 0. */
  delaySeconds?: number;
  /** Default fail. */
  onExhausted?: RepeatSpec['on_exhausted'];
}

export function repeatSpec({ until, max, delaySeconds, onExhausted }: RepeatOptions): RepeatSpec {
  return compact({ until, max, delay_seconds: delaySeconds, on_exhausted: onExhausted });
}
